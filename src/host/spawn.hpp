// SPDX-License-Identifier: MIT
// Starts programs: exact argument lists, chosen descriptors, failures of exec told as errors. Does
// not watch them afterwards.
//
// Own code because Boost.Process v2 as of 1.81, which is to be supported, does not serve: `bind_fd`
// aborts in optimized builds, `close_all` leaves descriptors open between those to be kept, and
// neither blocked signals nor mount namespaces can be had between fork and exec.
#pragma once

#include "host/files.hpp"
#include "host/process.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace qlaunch {

struct SpawnOptions {
  std::vector<std::string> argv;         // argv[0] with a slash is the file; else looked up in PATH
  std::vector<std::string> environment;  // "NAME=VALUE" overrides, "NAME" removes
  /// Descriptor numbers of the child and which of ours each is. 0 is /dev/null where not named; 1
  /// and 2 are ours. All others are closed.
  std::map<int, int> descriptors;
  std::string stdout_path, stderr_path;  // appended to, made 0600; the same path may stand in both
  bool new_session = false;
  bool block_signals = false;  // TERM, HUP and INT stay blocked in the child
  /// The child becomes root of a user and mount namespace of its own, in which root is this user
  /// and nobody else exists. Giving up all groups (setgroups) seems to succeed there and changes
  /// nothing: Linux forbids it, and the C virtiofsd insists on it.
  bool user_namespace = false;
  /// Bound read-only in a mount namespace of the child's own before exec, which takes root or
  /// `user_namespace`. Before Linux 5.12 an Error where something is mounted below.
  std::string readonly_folder;
  std::string working_folder;
  bool die_with_parent = false;
  /// A file opened for appending: before the child runs the program it adds its line of
  /// /proc/self/stat, so that it is known whatever happens to this process. -1: none.
  int announce = -1;
};

/// A running child of ours. Ends nothing when it goes out of scope.
struct Child {
  ProcessId id;
  UniqueFd pidfd;
};

/// Returns after exec has succeeded. Throws an Error where the program is not found, not
/// executable, not a program, or anything before exec failed.
Child spawn(const SpawnOptions& options);

/// Reaps a child of ours that ended before the deadline: its wait status. Nothing where the
/// deadline came first.
std::optional<int> reap(const Child& child, std::chrono::steady_clock::time_point deadline);

/// SIGKILL and reap.
int kill_and_reap(const Child& child);

struct Captured {
  int status = 0;  // as of waitpid
  std::string out, err;

  bool ok() const { return status == 0; }
};

/// Runs it to its end with stdin from /dev/null. Output over `limit` bytes (each) is dropped. A
/// TimeoutError where it takes longer (it is killed then).
Captured run_and_capture(const std::vector<std::string>& argv,
                         std::chrono::milliseconds timeout = std::chrono::seconds(30),
                         std::size_t limit = std::size_t{1} << 20);
Captured run_and_capture(SpawnOptions options, std::chrono::milliseconds timeout,
                         std::size_t limit);

/// "exit code 1", "killed by signal 9 (SIGKILL)", with ", core dumped" where it was.
std::string describe_exit(int wait_status);

/// The file that `name` stands for: itself where it has a slash, else the first executable one in
/// PATH; empty where there is none.
std::string find_program(const std::string& name);

}  // namespace qlaunch
