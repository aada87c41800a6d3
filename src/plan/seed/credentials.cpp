// SPDX-License-Identifier: MIT
#include "plan/seed/credentials.hpp"

#include "plan/seed/marks.hpp"

namespace qlaunch::seed {
namespace {

/// The last field of a line of tmpfiles.d(5): C-style escapes, and `%` for specifiers.
std::string argument(const std::string& text) {
  std::string out;
  for (const char character : text) {
    if (character == '\n') {
      out += "\\n";
    } else {
      if (character == '%' || character == '\\') out += character;
      out += character;
    }
  }
  return out;
}

std::string text_of(const KeysWithRoom& keys, bool own) {
  std::string out;
  if (own) out += std::string(own_key_mark) + '\n';
  for (const auto& key : keys.keys) out += key + '\n';
  return out;
}

/// As a file of their own, of any length.
std::string keys_of_root(const Told& told) {
  KeysWithRoom all{told.keys, {}};
  all.keys.insert(all.keys.end(), told.found_keys.begin(), told.found_keys.end());
  return text_of(all, told.own_keys);
}

std::string user_lines(const Told& told) {
  // Without a number the system would take one of those for its services.
  constexpr int first_uid = 1000;
  std::string out = "u " + told.user + ' ' + std::to_string(told.uid.value_or(first_uid)) + " \"" +
                    told.user + "\" " + told.home() + ' ' + told.shell + '\n';
  for (const auto& group : told.groups) out += "m " + told.user + ' ' + group + '\n';
  return out;
}

std::string file_lines(const Told& told) {
  std::string out;
  // The kernel's name now, the file for the next boot.
  out += "f+ /etc/hostname 0644 root root - " + argument(told.hostname + '\n') + '\n';
  out += "w /proc/sys/kernel/hostname - - - - " + argument(told.hostname) + '\n';
  if (!told.timezone.empty())
    out += "L+ /etc/localtime - - - - /usr/share/zoneinfo/" + argument(told.timezone) + '\n';
  if (!told.locale.empty())
    out += "f+ /etc/locale.conf 0644 root root - " + argument("LANG=" + told.locale + '\n') + '\n';
  if (told.user.empty() || told.user == "root") return out;
  const auto& home = told.home();
  const auto owner = told.user + ' ' + told.user;
  out += "d " + home + " 0700 " + owner + " -\nd " + home + "/.ssh 0700 " + owner + " -\n";
  // Written once: what its user adds to it stays.
  if (const auto keys = text_of(keys_with_room(told), told.own_keys); !keys.empty())
    out += "f " + home + "/.ssh/authorized_keys 0600 " + owner + " - " + argument(keys) + '\n';
  if (told.sudo)
    out += "f+ /etc/sudoers.d/qlaunch 0440 root root - " +
           argument(told.user + " ALL=(ALL) NOPASSWD:ALL\n") + '\n';
  return out;
}

}  // namespace

KeysWithRoom keys_with_room(const Told& told) {
  // Of a longer argument systemd-tmpfiles takes nothing: PATH_MAX, for any text.
  constexpr std::size_t most = 4095;
  // The line that takes the place of its mark.
  constexpr std::size_t own_key = 100;
  KeysWithRoom out{told.keys, {}};
  std::size_t used = own_key;
  for (const auto& key : told.keys) used += key.size() + 1;
  out.named_fit = used <= most;
  for (const auto& key : told.found_keys) {
    const bool fits = used + key.size() + 1 <= most;
    if (fits) used += key.size() + 1;
    (fits ? out.keys : out.left_out).push_back(key);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> credentials(const Told& told) {
  std::vector<std::pair<std::string, std::string>> out;
  if (told.user.empty() || told.user == "root") {
    if (auto keys = keys_of_root(told); !keys.empty())
      out.emplace_back("ssh.authorized_keys.root", std::move(keys));
  } else {
    out.emplace_back("sysusers.extra", user_lines(told));
  }
  out.emplace_back("tmpfiles.extra", file_lines(told));
  return out;
}

}  // namespace qlaunch::seed
