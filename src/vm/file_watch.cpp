// SPDX-License-Identifier: MIT
#include "vm/file_watch.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <sys/inotify.h>
#include <unistd.h>

namespace qlaunch {

FileWatch::FileWatch(const std::string& path)
    : notify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)), path_(path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  // For a file of this name that is made later, in place of this one too.
  if (!notify_ || inotify_add_watch(notify_.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO) < 0)
    throw system_error("cannot follow " + in_backticks(path), errno);
  watch_file();
}

void FileWatch::watch_file() {
  on_file_ = inotify_add_watch(notify_.get(), path_.c_str(), IN_MODIFY) >= 0;
}

void FileWatch::clear() {
  const auto name = std::filesystem::path(path_).filename().string();
  bool made = !on_file_;
  alignas(inotify_event) std::array<char, 4096> bytes{};
  for (;;) {
    const auto got = read(notify_.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event{};
      std::memcpy(&event, bytes.data() + at, sizeof event);
      if ((event.mask & (IN_CREATE | IN_MOVED_TO)) != 0 && name == bytes.data() + at + sizeof event)
        made = true;
      at += sizeof event + event.len;
    }
  }
  if (made) watch_file();
}

}  // namespace qlaunch
