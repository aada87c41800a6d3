// SPDX-License-Identifier: MIT
// Makes the files a plan needs before QEMU starts, and can take back those it made. Never writes
// over a file of the user's.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Removes what it was told of, last first, unless it is kept. Serves a launch that fails half-way.
class Undo {
 public:
  Undo() = default;
  Undo(const Undo&) = delete;
  Undo& operator=(const Undo&) = delete;
  ~Undo();

  void remove_later(std::string path) { paths_.push_back(std::move(path)); }
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

/// One folder, with what is missing above it; told to `undo` where it was not there.
void make_folder(const std::string& path, Undo& undo);

/// What this step does where it has something to do, for a progress line; empty otherwise.
std::string describe_work(const Preparation& preparation);

/// Each is left alone where its result exists, but for what is made anew at each start.
void make(const Preparation& preparation, const HostFacts& facts, Undo& undo);

}  // namespace qlaunch
