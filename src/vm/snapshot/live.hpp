// SPDX-License-Identifier: MIT
// Snapshots of a VM that runs, by its QEMU: saved, loaded and deleted as jobs that are watched to
// their end. Keeps no notes and undoes nothing: see snapshots.hpp.
#pragma once

#include "vm/live.hpp"
#include "vm/operation.hpp"
#include "vm/snapshot/blockers.hpp"
#include "vm/snapshot/note.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// Told how far it is, from another thread.
using Percent = std::function<void(int)>;

class LiveSnapshots {
 public:
  /// Takes the VM's command socket, and holds it.
  explicit LiveSnapshots(const LiveRecord& live);

  const LiveRecord& live() const { return live_; }
  qmp::SyncClient& client() { return socket_.client(); }

  /// QMP's word for its state.
  std::string state();

  const std::vector<WrittenNode>& nodes() const { return nodes_; }
  /// What stands in the way of a snapshot now.
  std::vector<Blocker> blockers(bool disks_only);

  /// The image for memory, as a node of QEMU's: made where there is none, or where it holds nothing
  /// any more.
  void attach_state_image();

  /// Bytes that the memory will take, at most.
  std::uint64_t expected_size() const;

  /// Memory and disks. The guest is held up meanwhile.
  void save(const std::string& tag, const std::string& job, const Percent& percent);
  /// All disks at one moment.
  void save_disks(const std::string& tag);
  /// The job stays for forget_jobs(), so that others can learn how it went.
  void load(const std::string& tag, const std::string& job);
  /// From these nodes, which have it.
  void remove(const std::string& tag, const std::vector<std::string>& nodes);

  /// The guest goes on, or stands still.
  void go_on();
  void hold();
  /// Resets a guest that cannot go on without that.
  void wake_from_the_dead();

  /// How a job of ours went: nothing where QEMU knows none; else empty, or why it failed.
  std::optional<std::string> outcome(const std::string& job);
  void forget_jobs();

  /// Gives up QEMU's hold of the image for memory; false where it has none.
  bool detach_state_image();
  bool agent();
  /// Throws where its state is being saved or loaded by `suspend` or `up`: its disks are not QEMU's
  /// to write then.
  void refuse_migration();
  /// Until QEMU has told the guest's agent to go on: a moment after a load. False where it does
  /// not.
  bool await_agent();

 private:
  LiveRecord live_;
  CommandSocket socket_;
  std::vector<WrittenNode> nodes_;
};

/// A name for a job that no other has.
std::string job_name(const std::string& kind);

/// Makes the image for memory as small as what it still holds; of no QEMU that runs.
void tidy_state_image(const std::string& name);

}  // namespace qlaunch
