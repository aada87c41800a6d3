// SPDX-License-Identifier: MIT
// Runs the real binary in a home of its own and looks for what it leaves behind. Knows nothing of
// any one command.
#pragma once

#include "host/spawn.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace test {

struct Result {
  int code = -1;  // exit code; 128 + signal where one ended it
  std::string out, err;
};

/// The binary under test, $QLAUNCH_BIN, or a copy of it that every user can reach.
std::string binary();

/// The user that commands run as. Where the tests run as root that is one without a name and
/// without privileges: root's powers would hide what fails for everybody else.
unsigned user();

/// A QLAUNCH_HOME below /tmp, with a space in its name. At the end every VM in it is killed, and
/// processes or sockets that outlived them fail the test.
class Home {
 public:
  Home();
  ~Home();
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/files/" + name; }
  /// Writes a file into the folder that commands run in; returns its path.
  std::string write(const std::string& name, const std::string& content) const;

  /// Added to the environment of every command: "NAME=VALUE", or "NAME" to remove it.
  std::vector<std::string> environment;

  Result run(const std::vector<std::string>& words,
             std::chrono::milliseconds timeout = std::chrono::minutes(2)) const;
  /// The same, with this text on its standard input.
  Result run_with_input(const std::vector<std::string>& words, const std::string& input) const;
  /// Started and left running; output goes to files `out` and `err` in the home.
  qlaunch::Child start(const std::vector<std::string>& words) const;

  /// Any program, as that user, with this home in its environment.
  qlaunch::SpawnOptions program(std::vector<std::string> argv) const;

  /// Processes that have this home in their environment, but for zombies: "pid command line".
  std::vector<std::string> processes() const;
  /// Everything below the runtime folder.
  std::vector<std::string> runtime_files() const;

 private:
  qlaunch::SpawnOptions options(const std::vector<std::string>& words) const;

  std::string path_;
};

/// Polls until the fact holds; false after a generous deadline.
bool eventually(const std::function<bool()>& fact,
                std::chrono::milliseconds deadline = std::chrono::seconds(60));

bool contains(const std::string& text, const std::string& part);

}  // namespace test
