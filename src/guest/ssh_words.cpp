// SPDX-License-Identifier: MIT
#include "guest/ssh_words.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

/// ssh itself refuses some of these, with words that do not say which.
bool is_user(std::string_view user) {
  static constexpr std::string_view never = "'`\";&<>|(){}$*?/:";
  return !user.empty() && user.front() != '-' && std::none_of(user.begin(), user.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
           never.find(c) != std::string_view::npos;
  });
}

/// Not `./web.toml` nor `~/web.toml`, which are profiles.
bool is_layered(std::string_view word) {
  const auto slash = word.find('/');
  return slash != std::string_view::npos && slash != 0 && slash + 1 < word.size() &&
         word.front() != '.' && word.front() != '~' && !word.ends_with(".toml");
}

/// `cd` knows no `--` in every shell.
std::string change_folder(const std::string& folder) {
  return "cd " + shell_quote(folder.starts_with('-') ? "./" + folder : folder);
}

}  // namespace

SshTarget parse_ssh_target(const std::string& word) {
  SshTarget target;
  target.vm = word;
  // The last one, as ssh has it; but `./a@b.toml` is a profile.
  const auto at = word.substr(0, word.find('/')).rfind('@');
  if (at != std::string::npos) {
    target.user = word.substr(0, at);
    target.vm = word.substr(at + 1);
    if (!is_user(target.user))
      throw UsageError(in_backticks(printable(target.user)) + " is no user's name")
          .help("write USER@VM, as in `root@web`");
  }
  if (target.vm.empty())
    throw UsageError("there is no VM behind the user " + in_backticks(target.user))
        .help("write USER@VM, as in `root@web`");
  if (is_layered(target.vm)) {
    const auto slash = target.vm.find('/');
    target.inner = target.vm.substr(slash + 1);
    target.vm.resize(slash);
  }
  return target;
}

CopyPlace parse_copy_place(const std::string& word) {
  CopyPlace place;
  const auto colon = word.find(':');
  if (colon == std::string::npos || colon == 0 || word.find('/') < colon) {
    // A layered name has its slash before the colon, as a path of the host has.
    place.path = word;
    return place;
  }
  place.target = parse_ssh_target(word.substr(0, colon));
  place.path = word.substr(colon + 1);
  return place;
}

std::string guest_command_line(const std::vector<std::string>& words, const std::string& folder) {
  auto line = words.size() == 1 ? words.front() : shell_quote(words);
  if (folder.empty()) return line;
  if (words.empty()) return change_folder(folder) + "; exec \"$SHELL\" -l";
  return change_folder(folder) + " || exit 125; " + line;
}

std::optional<std::string> folder_in_guest(const std::vector<SharedFolder>& shares,
                                           std::string_view folder) {
  const SharedFolder* found = nullptr;
  for (const auto& share : shares) {
    if (share.mount.empty()) continue;
    if (folder != share.path && share.path != "/" && !lies_below(folder, share.path)) continue;
    if (found == nullptr || share.path.size() > found->path.size()) found = &share;
  }
  if (found == nullptr) return std::nullopt;
  auto rest = std::string(folder.substr(std::min(found->path.size(), folder.size())));
  // Of "/" the slash is part of the rest.
  if (!rest.empty() && !rest.starts_with('/')) rest.insert(rest.begin(), '/');
  auto mount = found->mount == "same" ? found->path : found->mount;
  if (mount.ends_with('/') && !rest.empty()) mount.pop_back();
  return mount + rest;
}

}  // namespace qlaunch
