// SPDX-License-Identifier: MIT
// Processes that are proven to be the ones meant before they are signalled or believed alive. Does
// not start any.
#pragma once

#include "host/files.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <sys/types.h>

namespace qlaunch {

/// A pid is used again; together with its start time and the boot it is not.
struct ProcessId {
  pid_t pid = 0;
  unsigned long long start_time = 0;  // clock ticks since boot: field 22 of /proc/PID/stat
  std::string boot_id;                // empty: of this boot

  bool operator==(const ProcessId&) const = default;
};

/// /proc/sys/kernel/random/boot_id; empty where there is none.
const std::string& boot_id();

/// Nothing where no such process lives; a zombie lives no more.
std::optional<ProcessId> identify(pid_t pid);

/// The same of a child of ours that was not reaped yet: also when it has ended already.
ProcessId identify_child(pid_t pid);

/// Whom a line as of /proc/PID/stat tells of; nothing where it is none. Of this boot.
std::optional<ProcessId> process_in_stat(const std::string& line);

/// Whether exactly this process still runs.
bool alive(const ProcessId& process);

/// Whether exactly this process is there but does nothing: stopped by SIGSTOP or a debugger.
bool stopped(const ProcessId& process);

/// A pidfd of exactly this process; empty where it has ended.
UniqueFd open_pidfd(const ProcessId& process);

/// Waits for the end of the process; false where the deadline came first. Does not reap.
bool wait_exit(int pidfd, std::chrono::steady_clock::time_point deadline);

/// False where it has ended already. Throws where it may not be signalled.
bool send_signal(const ProcessId& process, int signal);

/// The short name ("qemu-system-x86"); empty where it cannot be told.
std::string process_name(pid_t pid);

struct ProcessUsage {
  std::uint64_t resident = 0;           // bytes
  std::chrono::milliseconds cpu{0};     // user and system, all threads
  std::chrono::milliseconds uptime{0};  // since it started
};

/// Nothing where exactly this process has ended.
std::optional<ProcessUsage> process_usage(const ProcessId& process);

}  // namespace qlaunch
