// SPDX-License-Identifier: MIT
// What these tests share: folders for the state, a QEMU that counts its starts, and programs that
// only play one. Tests nothing.
#pragma once

#include "host/paths.hpp"
#include "host/spawn.hpp"
#include "unit/host/scratch.hpp"

#include <doctest/doctest.h>

namespace test {

inline qlaunch::StateRoots roots_in(const Folder& folder) {
  return {.runtime = folder / "run",
          .data = folder / "data",
          .state = folder / "state",
          .cache = folder / "cache"};
}

/// The real QEMU behind a script that counts how often it is started.
class CountedQemu {
 public:
  explicit CountedQemu(const Folder& folder) : log_(folder / "starts") {
    real_ = qlaunch::find_program("qemu-system-x86_64");
    path_ = folder.write("qemu-system-x86_64",
                         "#!/bin/sh\necho x >> '" + log_ + "'\nexec " + real_ + " \"$@\"\n", 0755);
  }
  const std::string& path() const { return path_; }
  const std::string& real() const { return real_; }
  std::size_t starts() const { return qlaunch::try_read_file(log_).value_or("").size() / 2; }

 private:
  std::string log_, path_, real_;
};

inline std::string fake(const Folder& folder, const std::string& script) {
  return folder.write("fake", "#!/bin/sh\n" + script + "\n", 0755);
}

inline bool has_qemu() {
  if (!qlaunch::find_program("qemu-system-x86_64").empty()) return true;
  test::skip("qemu-system-x86_64 is not installed");
  return false;
}

}  // namespace test
