// SPDX-License-Identifier: MIT
// The micro guest as `qlaunch ssh` sees it: its key in the user's home, programs that are fed while
// they run. Tests nothing.
#pragma once

#include "guest/micro.hpp"

#include <string>
#include <vector>

namespace ssh_test {

/// Puts the key that root's login in the guest accepts where ssh looks for the user's own.
void take_key(const test::Home& home);

/// `body` stands behind what the profile of the guest says.
micro::Recipe recipe(const std::string& body = {}, const std::string& words = {});

/// Any program in a folder, as the tests' user.
test::Result run(const test::Home& home, const std::vector<std::string>& argv,
                 const std::string& folder = {});

/// The host key of the guest: "ssh-ed25519 AAAA…".
std::string host_key();

/// Sockets of connections that sessions share.
std::vector<std::string> shared_connections(const test::Home& home);

/// So that the next session has to make one, and to look at the host key.
void end_shared(const test::Home& home);

/// A program with a pipe to its standard input, its output in a file.
class Fed {
 public:
  Fed(const test::Home& home, const std::vector<std::string>& argv, const std::string& name);
  void feed(const std::string& text);
  std::string out() const;
  /// Its exit code, 128 + signal; -1 where it does not end.
  int end();
  pid_t pid() const { return child_.id.pid; }
  const qlaunch::ProcessId& id() const { return child_.id; }

 private:
  std::string path_;
  qlaunch::UniqueFd input_;
  qlaunch::Child child_;
};

}  // namespace ssh_test
