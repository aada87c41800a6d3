// SPDX-License-Identifier: MIT
// What happens between clone and exec, in the child, on plain values that the parent has prepared.
// Part of spawn; nobody else includes it.
#pragma once

#include <csignal>
#include <cstddef>

namespace qlaunch::detail {

/// The child shares the parent's memory until exec, so it must not allocate or throw; where it
/// fails it leaves `stage` and `error` here for the parent.
struct ChildPlan {
  const char* file = nullptr;
  char* const* argv = nullptr;
  char* const* environment = nullptr;

  struct Move {
    int from = -1;  // ours; for the child's second pass a copy above all targets
    int to = -1;
  };
  Move* moves = nullptr;  // sorted by `to`
  std::size_t move_count = 0;

  const char* working_folder = nullptr;
  const char* readonly_folder = nullptr;
  unsigned long readonly_flags = 0;  // mount flags that its mount has already
  bool readonly_single = false;      // nothing is mounted below it
  bool user_namespace = false;
  const char* uid_map = nullptr;
  const char* gid_map = nullptr;

  bool new_session = false;
  bool die_with_parent = false;
  int parent = 0;
  int announce = -1;
  sigset_t mask{};

  const char* volatile stage = nullptr;  // what failed; null: nothing did
  volatile int error = 0;
};

/// The entry for clone(2). Does not return.
int run_child(void* plan);

}  // namespace qlaunch::detail
