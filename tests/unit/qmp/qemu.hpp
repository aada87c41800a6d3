// SPDX-License-Identifier: MIT
// A real QEMU for the tests: which one, and one that runs as long as the object lives.
// Does not talk to it: that is what is tested.
#pragma once

#include "qmp/options.hpp"
#include "scratch.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace test {

/// The QEMU to test with: the one in PATH, or what the script prints that QMP_TEST_QEMU names.
/// Empty where there is none: then a line is printed that counts the test case as skipped.
std::filesystem::path qemu_or_skip();

/// What a program writes on its standard output, without its last newline; its exit code.
struct Output {
  std::string text;
  int code = -1;
};
Output run(const std::vector<std::string>& words);

/// QEMU with its QMP socket listening before it starts, gone again with the object.
class Qemu {
 public:
  explicit Qemu(const std::filesystem::path& binary,
                const std::vector<std::string>& more = {"-machine", "none"});
  Qemu(const Qemu&) = delete;
  Qemu& operator=(const Qemu&) = delete;
  ~Qemu();

  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path socket() const { return folder_.path() / "qmp"; }
  [[nodiscard]] qmp::Watch watch() const { return {pidfd_, "the process exited"}; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  /// The exit status as waitpid gives it.
  int wait();

 private:
  ScratchFolder folder_;
  Listener listener_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
};

}  // namespace test
