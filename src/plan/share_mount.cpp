// SPDX-License-Identifier: MIT
#include "plan/share_mount.hpp"

#include "core/quote.hpp"

#include <vector>

namespace qlaunch {
namespace {

const char* type_of(const PlannedShare& share) {
  return share.virtiofs ? "virtiofs" : "9p";
}

std::vector<std::string> options_of(const PlannedShare& share) {
  std::vector<std::string> out;
  // Without msize 9p moves a few kilobytes at a time.
  if (!share.virtiofs) out = {"trans=virtio", "version=9p2000.L", "msize=524288"};
  if (share.readonly) out.emplace_back("ro");
  return out;
}

/// A string of Nix's language.
std::string nix_quoted(const std::string& text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    const bool dollar = c == '$' && at + 1 < text.size() && text[at + 1] == '{';
    if (c == '"' || c == '\\' || dollar) out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

std::string mount_target(const PlannedShare& share) {
  if (!share.mount.empty()) return share.mount;
  std::string name = share.tag;
  for (char& c : name) {
    if (c == '/') c = '-';
  }
  return "/mnt/" + name;
}

std::string mount_command(const PlannedShare& share) {
  std::string options;
  for (const auto& each : options_of(share)) options += (options.empty() ? "" : ",") + each;
  return std::string("mount -t ") + type_of(share) + (options.empty() ? "" : " -o " + options) +
         ' ' + shell_quote(share.tag) + ' ' + shell_quote(mount_target(share));
}

std::string nixos_mount(const PlannedShare& share) {
  std::string options;
  for (const auto& each : options_of(share)) options += nix_quoted(each) + ' ';
  return "fileSystems." + nix_quoted(mount_target(share)) +
         " = { device = " + nix_quoted(share.tag) + "; fsType = \"" + type_of(share) + "\";" +
         (options.empty() ? "" : " options = [ " + options + "];") + " };";
}

}  // namespace qlaunch
