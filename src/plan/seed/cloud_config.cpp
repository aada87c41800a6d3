// SPDX-License-Identifier: MIT
#include "core/text.hpp"
#include "plan/base64.hpp"
#include "plan/identity.hpp"
#include "plan/seed/marks.hpp"
#include "plan/seed/texts.hpp"
#include "plan/seed/yaml.hpp"

#include <algorithm>

namespace qlaunch::seed {
namespace {

/// Mounted for as long as cloud-init works; the rest is in the volume.
constexpr const char* early_command =
    "seed=/run/qlaunch/seed; mkdir -p -m 700 /run/qlaunch $seed; "
    "[ -e $seed/qlaunch/provision ] || mount -r -t iso9660 LABEL=cidata $seed || "
    "mount -r -t iso9660 /dev/disk/by-label/cidata $seed; sh $seed/qlaunch/provision early";

std::string setting(const std::string& name, const std::string& value) {
  return name + ": " + yaml_text(value) + '\n';
}

/// In quotes, and a mark as it is: what takes its place needs no escape there.
std::string quoted_key(const std::string& line) {
  return line == own_key_mark ? '"' + line + '"' : yaml_quoted(line);
}

std::vector<std::string> all_keys(const Told& told, bool lasting) {
  std::vector<std::string> keys;
  if (told.own_keys) keys.emplace_back(own_key_mark);
  keys.insert(keys.end(), told.keys.begin(), told.keys.end());
  if (!lasting) keys.insert(keys.end(), told.found_keys.begin(), told.found_keys.end());
  return keys;
}

std::string key_list(const std::vector<std::string>& keys, const std::string& indent) {
  std::string out = indent + "ssh_authorized_keys:\n";
  for (const auto& key : keys) out += indent + "  - " + quoted_key(key) + '\n';
  return out;
}

void add_user(std::string& out, const Told& told, const std::vector<std::string>& keys) {
  if (told.user.empty()) {
    if (!keys.empty()) out += key_list(keys, "");
    return;
  }
  out += "users:\n  - name: " + yaml_text(told.user) + '\n';
  if (told.user != "root") {
    if (told.uid) out += "    uid: " + std::to_string(*told.uid) + '\n';
    if (!told.groups.empty()) out += "    groups: " + yaml_list(told.groups) + '\n';
    out += "    shell: " + yaml_text(told.shell) + '\n';
    if (told.sudo) out += "    sudo: \"ALL=(ALL) NOPASSWD:ALL\"\n";
    out += "    lock_passwd: true\n";
  } else {
    out += "    lock_passwd: false\n";
  }
  if (!keys.empty()) out += key_list(keys, "    ");
  if (told.user == "root") out += "disable_root: false\n";
}

/// The server's key is known to the host before the guest's first boot. Where no key is given, one
/// of the kind that is made in no time.
void add_host_key(std::string& out, const Told& told) {
  if (!told.own_keys) {
    out += "ssh_genkeytypes: [ed25519]\n";
    return;
  }
  out += "ssh_keys:\n  ed25519_private: \"" + std::string(host_key_mark) +
         "\"\n  ed25519_public: \"" + host_public_key_mark + "\\n\"\n";
}

/// Read line by line by the awk of lima-init: nothing but ASCII, and no quote within a line.
std::string lima_key_line(const std::string& line) {
  std::string out;
  for (const char character : line) {
    const bool mark = character == '\x01';
    if (mark || (character >= ' ' && character <= '~' && character != '"')) out += character;
  }
  return out;
}

void add_files(std::string& out, const Told& told, const std::vector<std::string>& keys) {
  if (keys.empty() && told.files.empty()) return;
  out += "write_files:\n";
  if (!keys.empty()) {
    out +=
        "  # NixOS images made for Lima look for these lines in this file.\n"
        "  - path: /run/qlaunch/lima-keys\n    permissions: \"0600\"\n    content: |\n"
        "      ssh-authorized-keys:\n";
    for (const auto& key : keys) out += "        - \"" + lima_key_line(key) + "\"\n";
  }
  for (const auto& file : told.files) {
    out +=
        "  - path: " + yaml_text(file.path) + "\n    permissions: " + yaml_quoted(file.mode) + '\n';
    const bool group = file.owner.find(':') != std::string::npos;
    out += "    owner: " + yaml_quoted(group ? file.owner : file.owner + ':' + file.owner) + '\n';
    // Its owner may be a user that is made after the files.
    if (file.owner != "root") out += "    defer: true\n";
    if (first_invalid_utf8(file.content))
      out += "    encoding: b64\n    content: " + yaml_quoted(planner::base64(file.content)) + '\n';
    else
      out += "    content: " + yaml_quoted(file.content) + '\n';
  }
}

void add_mounts(std::string& out, const Told& told) {
  const bool any = std::any_of(told.mounts.begin(), told.mounts.end(),
                               [](const ToldMount& mount) { return mount.plain; });
  if (!any) return;
  // lima-init reads this form of it: one line each, the first word without quotes.
  out += "mounts:\n";
  for (const auto& mount : told.mounts) {
    if (mount.plain)
      out += "- [" + mount.tag + ", \"" + mount.path + "\", " + mount.type + ", \"" +
             mount.options + "\", \"0\", \"0\"]\n";
  }
}

void add_proxies(std::string& out, const Told& told) {
  std::string lines;
  for (const auto* name : {"http_proxy", "https_proxy"}) {
    const auto found = told.proxies.find(name);
    if (found != told.proxies.end())
      lines += "  " + std::string(name) + ": " + yaml_quoted(found->second) + '\n';
  }
  if (!lines.empty()) out += "apt:\n" + lines;
}

}  // namespace

std::string cloud_config(const Told& told, bool lasting) {
  const auto keys = all_keys(told, lasting);
  std::string out = "#cloud-config\n# Made by qlaunch at each start, from the profile of the VM.\n";
  out += setting("hostname", told.hostname);
  // Else sudo complains that it does not know this name.
  out += "manage_etc_hosts: localhost\n";
  out += "bootcmd:\n  - [sh, -c, " + yaml_quoted(early_command) + "]\n";
  add_user(out, told, keys);
  add_host_key(out, told);
  if (!told.timezone.empty()) out += setting("timezone", told.timezone);
  // Without a word cloud-init would make en_US; this one it takes for none.
  out += setting("locale", told.locale.empty() ? "false" : told.locale);
  if (!lasting) add_proxies(out, told);
  if (!told.packages.empty())
    out += "package_update: true\npackages: " + yaml_list(told.packages) + '\n';
  if (!told.ca_certs.empty()) {
    out += "ca_certs:\n  trusted:\n";
    for (const auto& each : told.ca_certs) out += "    - " + yaml_quoted(each) + '\n';
  }
  add_mounts(out, told);
  add_files(out, told, keys);
  return out;
}

std::string instance_id(const Told& told) {
  const auto network = network_config(told);
  const auto own = told.user_data.value_or("");
  return "qlaunch-" +
         hexadecimal(planner::stable_hash({told.identity, cloud_config(told, true), own,
                                           told.user_data_merged ? "merged" : "instead",
                                           network.value_or("")}),
                     16);
}

std::string meta_data(const Told& told) {
  return setting("instance-id", instance_id(told)) + setting("local-hostname", told.hostname);
}

std::optional<std::string> network_config(const Told& told) {
  if (told.networks.size() < 2) return std::nullopt;
  // Version 1 with names and addresses: ifupdown takes nothing newer.
  std::string out = "version: 1\nconfig:\n";
  for (std::size_t index = 0; index < told.networks.size(); ++index) {
    const auto& network = told.networks[index];
    out += "  - type: physical\n    name: eth" + std::to_string(index) +
           "\n    mac_address: " + yaml_quoted(network.mac) +
           "\n    subnets:\n      - type: " + (network.dhcp ? "dhcp" : "manual") + '\n';
  }
  return out;
}

}  // namespace qlaunch::seed
