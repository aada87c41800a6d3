// SPDX-License-Identifier: MIT
#include "profile/starter.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/keys.hpp"
#include "profile/reader.hpp"

namespace qlaunch {
namespace {

constexpr int width = 92;

std::string comment(std::string_view text) {
  return "# " + fold(text, width - 2, "# ") + '\n';
}

std::string key_lines(const Section& section, const Key& key, const std::string& name) {
  std::string words(key.meaning);
  std::vector<std::string> choices;
  for (const auto& choice : key.choices) {
    if (!choice.hidden) choices.push_back('"' + std::string(choice.word) + '"');
  }
  if (!choices.empty()) words += " One of " + enumerate(choices, "or") + '.';
  if (key.type == KeyType::choices) words = std::string(key.meaning);
  if (key.later) words += " (Not acted upon yet.)";

  const auto key_name = std::string(key.name);
  std::string line;
  if (section.path.empty() && key.name == "name") {
    line = "name = " + toml_quote(name);
  } else if (!key.starter.empty()) {
    line = key_name + " = " + std::string(key.starter);
  } else if (!key.fallback.empty() && key.fallback != "[]" && key.fallback != "{}" &&
             key.fallback != "\"\"") {
    line = '#' + key_name + " = " + std::string(key.fallback);
  } else {
    // The default is no value that could be written here: an example says more.
    line = '#' + std::string(key.example);
    if (!key.fallback_words.empty()) words += " Default: " + std::string(key.fallback_words) + '.';
  }
  return comment(words) + line + '\n';
}

bool has_active_key(const Section& section) {
  for (const auto& key : section.keys) {
    if (!key.starter.empty()) return true;
  }
  return false;
}

}  // namespace

std::string starter_profile(const std::string& name) {
  std::string out = comment(
      "A qlaunch profile: one virtual machine. Lines that begin with # are switched off; those "
      "that hold a value show its default or an example.");
  for (const auto& section : profile_sections()) {
    out += '\n';
    if (!section.path.empty()) {
      out += comment(section.meaning);
      out += (has_active_key(section) ? "" : "#") + section.heading() + '\n';
    }
    for (const auto& key : section.keys) out += key_lines(section, key, name);
  }
  return out;
}

}  // namespace qlaunch
