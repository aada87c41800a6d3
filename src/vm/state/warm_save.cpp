// SPDX-License-Identifier: MIT
#include "vm/state/warm_save.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/backing.hpp"
#include "image/qemu_img.hpp"
#include "plan/identity.hpp"
#include "plan/warm.hpp"
#include "vm/control.hpp"
#include "vm/power_off.hpp"
#include "vm/state/state_file.hpp"
#include "vm/state/state_marker.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t warm_spare_room = std::uint64_t{64} << 20U;

/// Only what is not zero, so that it takes no more room than the guest has touched.
void copy_memory(int from, const std::string& path) {
  constexpr std::size_t block = std::size_t{64} << 10U;
  static const std::array<char, block> zeros{};
  const UniqueFd to(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  struct stat status {};
  if (!to || fstat(from, &status) != 0 || ftruncate(to.get(), status.st_size) != 0)
    throw system_error("cannot write " + in_backticks(path), errno);
  std::array<char, block> bytes{};
  for (off_t at = lseek(from, 0, SEEK_DATA); at >= 0; at = lseek(from, at, SEEK_DATA)) {
    const auto end = lseek(from, at, SEEK_HOLE);
    while (at < end) {
      const auto want = std::min(block, static_cast<std::size_t>(end - at));
      const auto got = pread(from, bytes.data(), want, at);
      if (got <= 0) throw system_error("cannot read the guest's memory", errno);
      const auto size = static_cast<std::size_t>(got);
      if (std::memcmp(bytes.data(), zeros.data(), size) != 0 &&
          pwrite(to.get(), bytes.data(), size, at) != got)
        throw system_error("cannot write " + in_backticks(path), errno);
      at += got;
    }
  }
  if (fsync(to.get()) != 0) throw system_error("cannot write " + in_backticks(path), errno);
}

void save_memory(const LiveRecord& live, const std::string& path) {
  const auto* memory = live.plan.descriptor("memory");
  if (memory == nullptr) throw Error("its memory is no file");
  const auto in_qemu =
      "/proc/" + std::to_string(live.qemu.pid) + "/fd/" + std::to_string(memory->number);
  const UniqueFd from(open(in_qemu.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) throw system_error("cannot read the guest's memory", errno);
  copy_memory(from.get(), path);
}

/// They outlive the run, whose folder goes with it.
void keep(const std::string& path, const std::string& frozen) {
  if (link(path.c_str(), frozen.c_str()) != 0)
    throw system_error("cannot keep " + in_backticks(path), errno);
  const UniqueFd fd(open(frozen.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) fsync(fd.get());
}

/// With what it lies on, as far as that is the run's own.
void freeze_disk(const std::string& path, const std::string& own, const std::string& folder) {
  const auto frozen = frozen_disk(folder, path);
  keep(path, frozen);
  const auto backing = backing_of(path);
  if (!backing || !backing->file.starts_with(own + '/')) return;
  const auto below = frozen_disk(folder, backing->file);
  if (file_fact(below).kind == FileFact::Kind::missing) freeze_disk(backing->file, own, folder);
  set_backing(frozen, {below, backing->format});
}

void make_overlay(const PlannedDisk& disk, const std::string& own, const std::string& folder) {
  const auto name = own + '/' + planner::qemu_id("", disk.name) + ".qcow2";
  const auto overlay = frozen_overlay(folder, name);
  QemuImg().run({"create", "-q", "-f", "qcow2", "-b", frozen_disk(folder, disk.path), "-F",
                 disk.format == DiskFormat::qcow2 ? "qcow2" : "raw", overlay},
                "cannot make an overlay for later runs", overlay);
}

void freeze(const LiveRecord& live, const std::string& folder) {
  const auto& plan = live.plan;
  const auto& own = plan.paths.data;
  for (const auto& disk : plan.disks) {
    if (disk.readonly) continue;
    freeze_disk(disk.path, own, folder);
    make_overlay(disk, own, folder);
  }
  if (plan.nvram) keep(plan.nvram->path, frozen_nvram(folder));
  const auto copy = [&](const std::string& path, const std::string& name) {
    write_file_atomic(folder + '/' + name, try_read_file(path, std::size_t{64} << 20).value_or(""),
                      0600, Durability::quick);
  };
  if (!plan.serial_log.empty()) copy(plan.serial_log, "serial.log");
  if (plan.provision_log.empty()) return;
  copy(plan.provision_log, "provision.log");
  for (const auto* key : ssh_key_files) copy(own + "/ssh/keys/" + key, key);
}

std::uint64_t room_of(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return 0;
  constexpr std::uint64_t sector = 512;
  return static_cast<std::uint64_t>(status.st_blocks) * sector;
}

/// Nobody is to write to them any more; but QEMU opens memory for writing, also where it only maps
/// it for itself.
void seal(WarmState& state) {
  for (const auto& entry : fs::directory_iterator(state.folder)) {
    const auto path = entry.path().string();
    if (path != frozen_memory(state.folder)) chmod(path.c_str(), 0400);
    state.bytes += room_of(path);
    state.files.push_back(stamp_disk(path));
  }
}

void check_space(const LiveRecord& live, const std::string& folder) {
  const auto usage = process_usage(live.qemu);
  const auto needed = std::min(usage ? usage->resident : live.plan.memory, live.plan.memory);
  const auto there = free_space(folder);
  if (there >= needed + warm_spare_room) return;
  throw Error("it needs up to " + format_size_rounded(needed + warm_spare_room) + " in " +
              in_backticks(folder) + ", where " + format_size_rounded(there) + " are free");
}

}  // namespace

void save_warm(const LiveRecord& live, const std::string& root, WarmState& state,
               const std::function<bool()>& interrupted) {
  state.folder = root + "/state-" + state.time;
  const auto& folder = state.folder;
  check_space(live, root);
  remove_tree(folder);
  make_private_folder(folder);
  const StateMarker marker(live.plan.paths, StateMarker::Work::saving);
  UniqueFd hold;
  try {
    write_file_atomic(folder + "/use", "", 0600, Durability::quick);
    // Whoever drops states meanwhile leaves this one alone.
    hold = hold_warm(state);
    {
      CommandSocket socket(live);
      state.agent = agent_listens(socket.client());
      socket.client().execute("stop");
    }
    at_step(Step::warm_stopped);
    SaveProgress progress;
    progress.interrupted = interrupted;
    save_state(live, {folder + "/state", true}, progress);
    save_memory(live, frozen_memory(folder));
    freeze(live, folder);
    at_step(Step::warm_frozen);
    if (interrupted()) throw Error("interrupted");
  } catch (...) {
    remove_tree(folder);
    if (alive(live.qemu)) CommandSocket(live).client().execute("cont");
    throw;
  }
  end_run(live);
  at_step(Step::warm_ended);
  seal(state);
  write_warm(root, state);
  at_step(Step::warm_kept);
  tidy_warm(root);
}

void end_run(const LiveRecord& live) {
  try {
    kill_vm(live.name);
  } catch (const StateError&) {  // NOLINT(bugprone-empty-catch)
    // It has ended by itself.
  }
}

}  // namespace qlaunch
