// SPDX-License-Identifier: MIT
// What a guest says of how far it is with what it was told (plan/seed/provision.sh), out of the log
// of its port. Reads text, waits for nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

struct Provision {
  enum class State { silent, under_way, done, failed };
  State state = State::silent;
  std::string running;              // the script it is at
  std::string failure;              // "script 2 (make): exit code 3"
  std::vector<std::string> output;  // the last lines of what failed, or runs
};

/// Takes a log in pieces as it grows. An unended line counts when it ends.
class ProvisionReader {
 public:
  void feed(std::string_view piece);
  const Provision& seen() const { return found_; }

 private:
  void take(std::string_view line);

  Provision found_;
  std::string unended_;
};

/// Of the last boot in it. Lines that are none of the guest's are skipped: the log of a serial port
/// does as well.
Provision parse_provision(std::string_view log);

}  // namespace qlaunch
