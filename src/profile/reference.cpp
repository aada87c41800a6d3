// SPDX-License-Identifier: MIT
#include "profile/reference.hpp"

#include "profile/keys.hpp"
#include "profile/reader.hpp"

#include <string_view>
#include <vector>

namespace qlaunch {
namespace {

constexpr std::string_view reference_opening =
    "# The profile language\n"
    "\n"
    "<!-- Made from the table of keys in src/profile; do not edit. "
    "-->\n"
    "\n"
    "A profile is one TOML file and describes one virtual machine. Every key has a default; three "
    "lines are a VM:\n"
    "\n"
    "```toml\n"
    "[[disk]]\n"
    "image = \"debian-12.qcow2\"\n"
    "size = \"20 GiB\"\n"
    "```\n"
    "\n"
    "Sizes are written `\"8 GiB\"` or `\"512 MiB\"` (GB and MB are powers of 1000), durations "
    "`\"90s\"` or `\"2m\"`. A path is relative to the profile that says it; `~`, `$VAR` and "
    "`${VAR}` "
    "are expanded in paths, `$$` is a dollar, and a variable that is not set is an error. `--set "
    "KEY=VALUE` changes one value for one run, as in `--set machine.memory=4GiB` or `--set "
    "disk.root.size=60GiB`.\n";

/// Pipes would end a cell of the table.
std::string cell(std::string_view text) {
  std::string out;
  for (const char character : text) {
    if (character == '|') out += '\\';
    out += character == '\n' ? ' ' : character;
  }
  return out;
}

std::string type_words(const Key& key) {
  if (!key.wants.empty()) return std::string(key.wants);
  switch (key.type) {
    case KeyType::choice:
      return "one word";
    case KeyType::choices:
      return "list of words";
    case KeyType::size:
      return "size";
    case KeyType::duration:
      return "duration";
    case KeyType::boolean:
      return "true or false";
    case KeyType::integer:
      return "integer, " + std::to_string(key.lowest) + " to " + std::to_string(key.highest);
    case KeyType::strings:
      return "list of strings";
    case KeyType::words:
      return "string or list of strings";
    case KeyType::map:
      return "table of strings";
    case KeyType::string:
      break;
  }
  return key.path == PathRule::none ? "string" : "path";
}

std::string default_words(const Key& key) {
  if (key.required) return "needed";
  if (!key.fallback_words.empty()) return cell(key.fallback_words);
  return key.fallback.empty() ? "none" : '`' + cell(key.fallback) + '`';
}

std::string meaning(const Key& key) {
  std::string out = cell(key.meaning);
  std::string values;
  for (const auto& choice : key.choices) {
    if (choice.hidden) continue;
    values += values.empty() ? " Values: " : "; ";
    values += "`\"" + std::string(choice.word) + "\"`";
    if (!choice.meaning.empty()) values += ' ' + cell(choice.meaning);
    if (choice.later) values += " (checked, not yet acted upon)";
  }
  if (!values.empty()) out += values + '.';
  if (key.later) out += " *Checked, but not yet acted upon.*";
  return out;
}

void append_section(std::string& out, const Section& section) {
  out += section.path.empty() ? "\n## Outside of sections\n\n"
                              : "\n## `" + section.heading() + "`\n\n";
  if (!section.path.empty()) out += std::string(section.meaning) + "\n\n";
  out += "| key | type | default | meaning |\n|---|---|---|---|\n";
  for (const auto& key : section.keys)
    out += "| `" + std::string(key.name) + "` | " + cell(type_words(key)) + " | " +
           default_words(key) + " | " + meaning(key) + " |\n";
  out += "\n```toml\n";
  if (!section.path.empty()) out += section.heading() + '\n';
  for (const auto& key : section.keys) out += std::string(key.example) + '\n';
  out += "```\n";
}

}  // namespace

std::string profile_reference() {
  std::string out(reference_opening);
  for (const auto& section : profile_sections()) append_section(out, section);
  return out;
}

}  // namespace qlaunch
