// SPDX-License-Identifier: MIT
#include "vm/ephemeral.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "vm/live.hpp"
#include "vm/start_list.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr std::size_t longest_name = 64;
/// Of folders that are being removed; no VM's name begins with a dot.
const std::string going_prefix = ".going-";
const std::string staging_prefix = ".making-";

std::string mark(const VmPaths& paths) {
  return paths.data + "/ephemeral";
}

void tidy(const std::string& name) {
  const auto paths = vm_paths(state_roots(), name);
  // Held by whoever starts it.
  FileLock lock(paths.data + "/lock");
  if (!lock.try_lock()) return;
  if (const auto live = read_live(name)) {
    // A keeper removes all of it itself.
    if (alive(live->qemu) || alive(live->keeper)) return;
    for (const auto& helper : live->helpers) send_signal(helper.process, SIGKILL);
    remove_ephemeral(live->plan.paths);
  }
  // A start that was killed may have left processes without a record.
  end_start(paths.runtime);
  remove_ephemeral(paths);
}

}  // namespace

std::string ephemeral_name(const std::string& base) {
  // Neither vowels, which make words, nor what is mistaken for another.
  constexpr std::string_view letters = "bcdfghjkmnpqrstvwxz23456789";
  constexpr std::size_t length = 5;
  std::random_device random;
  std::uniform_int_distribution<std::size_t> any(0, letters.size() - 1);
  auto name = base.substr(0, longest_name - length - 1) + '-';
  for (std::size_t count = 0; count < length; ++count) name += letters[any(random)];
  return name;
}

void mark_ephemeral(const VmPaths& paths) {
  const UniqueFd file(open(mark(paths).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw system_error("cannot write \"" + mark(paths) + '"', errno);
}

bool is_ephemeral(const VmPaths& paths) {
  std::error_code ignored;
  return std::filesystem::exists(mark(paths), ignored);
}

bool is_ephemeral(const std::string& name) {
  return is_ephemeral(vm_paths(state_roots(), name));
}

void remove_ephemeral(const VmPaths& paths) {
  remove_tree(paths.runtime);
  remove_tree(paths.state);
  // Last: with it goes the mark. By another name first, because a command that looks at the VM
  // makes a lock in its folder, and a file made at the wrong moment would keep the folder from
  // going.
  const auto going = going_name(paths);
  if (std::rename(paths.data.c_str(), going.c_str()) != 0 && errno != ENOENT)
    remove_tree(paths.data);
  remove_tree(going);
}

std::string going_name(const VmPaths& paths) {
  const std::filesystem::path folder(paths.data);
  return (folder.parent_path() / (going_prefix + folder.filename().string())).string() + '.' +
         std::to_string(getpid());
}

std::string staging_folder(const std::string& name) {
  return state_roots().data + '/' + staging_prefix + name;
}

void tidy_ephemeral() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(state_roots().data, ignored)) {
    const auto name = entry.path().filename().string();
    try {
      if (name.starts_with(going_prefix)) {
        remove_tree(entry.path().string());
      } else if (name.starts_with(staging_prefix)) {
        FileLock lock((entry.path() / "lock").string());
        if (lock.try_lock()) remove_tree(entry.path().string());
      } else if (std::filesystem::exists(entry.path() / "ephemeral", ignored)) {
        tidy(name);
      }
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // It is nobody's question now; the next command tries again.
    }
  }
}

}  // namespace qlaunch
