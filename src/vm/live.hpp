// SPDX-License-Identifier: MIT
// Whether a VM runs, as facts: its processes proven to be ours, its state asked of QEMU.
// Changes nothing, but for a keeper that it may replace and dead runs that it may tidy away.
#pragma once

#include "core/error.hpp"
#include "host/process.hpp"
#include "plan/plan.hpp"
#include "qmp/sync.hpp"
#include "vm/operation.hpp"
#include "vm/record.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// A time, in UTC, in which a run had no keeper: nobody knows what QEMU said then.
struct Unwatched {
  std::string from;   // when something was last seen
  std::string until;  // empty: QEMU does not answer its new keeper yet
};

/// The record of a run while it lasts: in the runtime folder, with a copy beside what is kept of
/// the VM. A logout takes the folder away, and a command in cron or behind `su` looks elsewhere for
/// it.
struct LiveRecord {
  std::string name;
  ProcessId qemu;
  ProcessId keeper;
  struct HelperProcess {
    std::string name, serves;
    ProcessId process;
  };
  std::vector<HelperProcess> helpers;
  std::string started;                   // UTC
  std::vector<PlannedForward> forwards;  // with the ports that are really taken
  Plan plan;
  std::optional<Unwatched> unwatched;  // where `keeper` has taken over from another
};

/// Of the two copies the one whose QEMU lives, so that a run is found wherever its folder is.
std::optional<LiveRecord> read_live(const std::string& name);
void write_live(const LiveRecord& live);

/// The lasting copy, `data/NAME/run.json`; write_live writes it, too. Neither throws: a VM that
/// runs is not to end because a disk is full.
void remember_run(const LiveRecord& live);
void forget_run(const std::string& name);

/// Why its sockets cannot be reached, in words, where they are gone; else empty.
std::string unreachable(const LiveRecord& live);

/// Busy: a command works on it that takes long, and QEMU answers nobody else.
enum class VmState { stopped, starting, running, paused, unresponsive, busy, suspended };
std::string_view state_name(VmState state);

struct VmStatus {
  std::string name;
  VmState state = VmState::stopped;
  std::string qemu_state;  // QMP's own word: "running", "paused", "io-error", "guest-panicked" …
  std::optional<LiveRecord> live;
  bool keeper_alive = false;
  std::vector<std::string> problems;   // in words: what no longer works
  double uptime = 0;                   // seconds
  std::uint64_t resident = 0;          // bytes of QEMU's memory on the host
  std::string accelerator;             // "kvm", "tcg"
  bool needs_restart = false;          // the profile changed since the start
  std::optional<Record> record;        // of a run that was asked
  std::optional<Operation> operation;  // that is under way
  bool ask_agent = false;              // whether QEMU is asked for what follows, too
  bool agent_open = false;             // an agent in the guest has its channel open
};

/// One VM's facts. A run without a keeper gets a new one, a dead one is tidied away. `ask` also
/// asks QEMU (bounded by a short deadline) and looks whether the profile has changed.
VmStatus look(const std::string& name, bool ask = true);

/// The same of many, asked at once. `problem` is told of a VM that cannot be looked at; its place
/// in the answer stays empty.
std::vector<std::optional<VmStatus>> look_all(
    const std::vector<std::string>& names,
    const std::function<void(const std::string& name, const Error&)>& problem);

/// The live record of a VM that must be running; throws StateError otherwise.
LiveRecord require_running(const std::string& name);

/// The command socket of a running VM, held exclusively until it goes out of scope. Throws
/// TimeoutError naming who holds it.
class CommandSocket {
 public:
  CommandSocket(const LiveRecord& live, Duration timeout = std::chrono::seconds(10));
  ~CommandSocket();
  CommandSocket(const CommandSocket&) = delete;
  CommandSocket& operator=(const CommandSocket&) = delete;

  qmp::SyncClient& client();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace qlaunch
