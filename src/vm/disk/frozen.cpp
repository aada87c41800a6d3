// SPDX-License-Identifier: MIT
#include "vm/disk/frozen.hpp"

#include "core/error.hpp"
#include "host/paths.hpp"
#include "image/image_locks.hpp"
#include "vm/disk/bases.hpp"
#include "vm/ephemeral.hpp"

#include <chrono>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

std::string made_folder() {
  auto folder = frozen_folder();
  make_private_folder(folder);
  return folder;
}

}  // namespace

std::string frozen_folder() {
  return state_roots().data + "/.bases";
}

bool is_frozen(const std::string& path) {
  return fs::path(path).parent_path() == frozen_folder();
}

std::string new_frozen_path(const std::string& vm, const std::string& disk) {
  const auto folder = made_folder();
  std::error_code ignored;
  for (;;) {
    // The letters that tell short-lived VMs apart do the same here.
    auto path = folder + '/' + ephemeral_name(vm + '-' + disk) + ".qcow2";
    if (!fs::exists(path, ignored)) return path;
  }
}

FrozenLock::FrozenLock() : lock_(made_folder() + "/lock") {
  if (lock_.lock(std::chrono::steady_clock::now() + std::chrono::seconds(90))) return;
  const auto holder = lock_.holder();
  throw TimeoutError("another command clones or removes a VM" +
                     (holder ? " (pid " + std::to_string(*holder) + ")" : ""));
}

std::uint64_t remove_unneeded_bases(const FrozenLock& /*held*/) {
  std::uint64_t freed = 0;
  std::error_code ignored;
  // Each may have been all that needed the one that it lies on.
  for (bool again = true; again;) {
    again = false;
    const ImageNeeds needs;
    for (const auto& entry : fs::directory_iterator(frozen_folder(), ignored)) {
      const auto path = entry.path().string();
      struct stat status {};
      if (entry.path().extension() != ".qcow2" || !needs.of(path).empty() ||
          image_use(path) != ImageUse::none || stat(path.c_str(), &status) != 0)
        continue;
      if (unlink(path.c_str()) != 0) continue;
      // A clone that was cut off leaves a second name of a disk that is still there.
      if (status.st_nlink == 1) freed += static_cast<std::uint64_t>(status.st_blocks) * 512;
      again = true;
    }
  }
  return freed;
}

}  // namespace qlaunch
