// SPDX-License-Identifier: MIT
// The command socket of a running VM, shared by all commands with a lock.
#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/lock.hpp"
#include "vm/live.hpp"
#include "vm/takeover.hpp"

#include <algorithm>

namespace qlaunch {

struct CommandSocket::State {
  FileLock lock;
  UniqueFd pidfd;
  std::optional<qmp::SyncClient> client;
};

namespace {

FileLock command_lock(const LiveRecord& live) {
  try {
    if (const auto gone = unreachable(live); !gone.empty())
      throw StateError("VM " + in_backticks(live.name) + " runs, but " + gone)
          .help("`qlaunch kill " + shell_quote(live.name) + "` ends it all the same");
    return FileLock(live.plan.paths.runtime + "/qmp.lock");
  } catch (const Error&) {
    // The folder goes when the VM has ended.
    if (!alive(live.qemu)) throw qmp::Gone("QEMU has ended", "the QEMU process exited");
    throw;
  }
}

}  // namespace

CommandSocket::CommandSocket(const LiveRecord& live, Duration timeout)
    : state_(new State{command_lock(live), open_pidfd(live.qemu), {}}) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  // QEMU serves one client per socket: without the lock a second command would hear nothing.
  if (!state_->lock.lock(deadline)) {
    const auto holder = state_->lock.holder();
    const auto operation = operation_under_way(live.name);
    TimeoutError error(
        (operation ? "VM " + in_backticks(live.name) + " is busy, " + operation_text(*operation)
                   : "the QMP socket of VM " + in_backticks(live.name) + " is busy") +
        (holder ? ": held by " + process_name(*holder) + " (pid " + std::to_string(*holder) + ")"
                : ""));
    error.help("try again when the other command is done");
    throw error;
  }
  const auto* qmp = live.plan.descriptor("qmp");
  if (qmp == nullptr) throw Error("VM " + in_backticks(live.name) + " has no command socket");
  if (!state_->pidfd) throw qmp::Gone("QEMU has ended", "the QEMU process exited");
  qmp::Options options;
  options.greeting = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(
                                  deadline - std::chrono::steady_clock::now()),
                              std::chrono::milliseconds(100));
  options.reply = options.greeting;
  try {
    state_->client.emplace(
        qmp->path, options,
        std::vector<qmp::Watch>{{state_->pidfd.get(), "the QEMU process exited"}});
  } catch (const qmp::Timeout&) {
    if (!stopped(live.qemu)) throw;
    const auto pid = std::to_string(live.qemu.pid);
    throw qmp::Busy("its process (pid " + pid + ") is stopped; `kill -CONT " + pid +
                    "` lets it go on");
  }
}

CommandSocket::~CommandSocket() = default;

qmp::SyncClient& CommandSocket::client() {
  return *state_->client;
}

}  // namespace qlaunch
