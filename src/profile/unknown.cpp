// SPDX-License-Identifier: MIT
#include "profile/unknown.hpp"

#include "core/quote.hpp"
#include "core/suggest.hpp"

#include <array>
#include <utility>

namespace qlaunch {
namespace {

/// What other launchers and QEMU call it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 22> other_words{{
    {"ram", "machine.memory"},      {"mem", "machine.memory"},
    {"memsize", "machine.memory"},  {"cpus", "cpu.count"},
    {"vcpus", "cpu.count"},         {"vcpu", "cpu.count"},
    {"smp", "cpu.count"},           {"ports", "network.forward"},
    {"hostfwd", "network.forward"}, {"forwards", "network.forward"},
    {"cmd", "kernel.cmdline"},      {"append", "kernel.cmdline"},
    {"source", "share.path"},       {"src", "share.path"},
    {"mountpoint", "share.mount"},  {"target", "share.mount"},
    {"checksum", "image.sha512"},   {"digest", "image.sha512"},
    {"bios", "machine.firmware"},   {"efi", "machine.firmware"},
    {"uefi", "machine.firmware"},   {"password", "guest.ssh_keys"},
}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 14> other_sections{{
    {"disks", "disk"},
    {"drive", "disk"},
    {"storage", "disk"},
    {"hdd", "disk"},
    {"net", "network"},
    {"nic", "network"},
    {"networks", "network"},
    {"shares", "share"},
    {"filesystem", "share"},
    {"images", "image"},
    {"cpus", "cpu"},
    {"vm", "machine"},
    {"graphics", "display"},
    {"cloud-init", "guest"},
}};

std::vector<std::string> names_in(const Section& section) {
  std::vector<std::string> names;
  for (const auto& key : section.keys) names.emplace_back(key.name);
  return names;
}

std::vector<std::string> quoted(std::vector<std::string> names) {
  for (auto& name : names) name = in_backticks(name);
  return names;
}

/// The sections that have a key of this name, as "[display], [serial] or [[disk]]".
std::string homes_of(std::string_view name, const Section& except) {
  std::vector<std::string> homes;
  for (const auto& section : profile_sections()) {
    if (&section != &except && section.key(name) != nullptr) homes.push_back(section.heading());
  }
  return enumerate(homes, "or");
}

std::optional<std::string> other_word(const Section& section, std::string_view name) {
  for (const auto& [word, path] : other_words) {
    if (word != name) continue;
    const auto dot = path.rfind('.');
    const auto key = in_backticks(path.substr(dot + 1));
    const auto* home = find_section(path.substr(0, dot));
    return home == &section ? "here that is called " + key
                            : "here that is called " + key + ", in " + home->heading();
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> likely_key(const Section& section, std::string_view name) {
  for (const auto& [word, path] : other_words) {
    const auto dot = path.rfind('.');
    if (word == name && path.substr(0, dot) == section.path)
      return std::string(path.substr(dot + 1));
  }
  return nearest(name, names_in(section));
}

Diagnostic unknown_key(const Section& section, std::string_view name, const Location& where) {
  auto finding = error_at(
      where, "unknown key " + in_backticks(name) +
                 (section.path.empty() ? " at the top level" : " in " + section.heading()));
  if (auto other = other_word(section, name)) {
    finding.help.push_back(std::move(*other));
    return finding;
  }
  const auto homes = homes_of(name, section);
  if (const auto near = likely_key(section, name)) {
    finding.help.push_back("did you mean " + in_backticks(*near) + '?');
    if (!homes.empty()) finding.help.push_back(in_backticks(name) + " belongs in " + homes);
    return finding;
  }
  if (!homes.empty()) {
    finding.help.push_back(in_backticks(name) + " belongs in " + homes);
    return finding;
  }
  for (const auto& other : profile_sections()) {
    const auto near = nearest(name, names_in(other));
    if (!near || other.path == "machine.smbios") continue;
    finding.help.push_back("did you mean " + in_backticks(*near) + " in " + other.heading() + '?');
    return finding;
  }
  finding.help.push_back((section.path.empty() ? "the keys outside of sections are "
                                               : "the keys of " + section.heading() + " are ") +
                         enumerate(quoted(names_in(section))));
  return finding;
}

Diagnostic unknown_section(std::string_view name, bool list, const Location& where) {
  const auto heading = list ? "[[" + std::string(name) + "]]" : '[' + std::string(name) + ']';
  auto finding = error_at(where, "unknown section " + heading);
  std::vector<std::string> names;
  std::vector<std::string> headings;
  for (const auto& section : profile_sections()) {
    if (section.path.empty()) continue;
    names.emplace_back(section.path);
    headings.push_back(section.heading());
  }
  std::optional<std::string> meant;
  for (const auto& [word, path] : other_sections) {
    if (word == name) meant = path;
  }
  if (!meant) meant = nearest(name, names);
  if (meant) {
    finding.help.push_back("did you mean " + find_section(*meant)->heading() + '?');
  } else {
    finding.help.push_back("the sections are " + enumerate(headings));
  }
  return finding;
}

}  // namespace qlaunch
