// SPDX-License-Identifier: MIT
#include "vm/disk/clone_staging.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "vm/ephemeral.hpp"

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include <fcntl.h>

namespace qlaunch {
namespace {

std::string made_anew(const std::string& path) {
  remove_tree(path);
  make_private_folder(path);
  return path;
}

}  // namespace

Staging::Staging(const std::string& name)
    : path_(made_anew(staging_folder(name))), lock_(path_ + "/lock") {
  if (!lock_.try_lock()) throw StateError("VM " + in_backticks(name) + " is being made");
}

Staging::~Staging() {
  try {
    remove_tree(path_);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // The next command tries again.
  }
}

void Staging::become(const std::string& folder) {
  if (renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS)
    throw system_error("cannot rename " + in_backticks(path_), errno);
  // Some filesystems cannot swap two folders. In the other one is only its lock.
  remove_tree(folder);
  std::filesystem::rename(path_, folder);
}

}  // namespace qlaunch
