// SPDX-License-Identifier: MIT
// The micro Linux guest (tests/guests/build_micro.sh) as tests use it: profiles for it, and ssh
// into it. Knows nothing of what a test is about.
#pragma once

#include "support/run.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace micro {

/// The folder with kernel and initrd, made at the first call; empty where it cannot be made here.
const std::string& folder();

/// True where there is no guest: prints the line that counts the running test case as skipped.
bool skipped();
/// The same for another reason.
void skip(const std::string& reason);

/// The virtiofsd written in Rust; empty where it cannot be had here, which is said as skipped()
/// does.
std::string rust_virtiofsd();

/// A QEMU newer than the system's own; empty where it cannot be had here, which is said likewise.
std::string newer_qemu();

/// The folder of the Debian guest (tests/guests/build_debian.sh); empty where it cannot be made
/// here, which is said likewise.
std::string debian();

/// Runs test cases of this very program, by a pattern of their names, as an ordinary user who is in
/// more groups than one, with files of their own. Takes root.
test::Result as_ordinary_user(const std::string& cases);

/// What a profile for the guest says; `body` stands behind it, keys with dots first.
struct Recipe {
  std::string body = {};
  std::string words = {};  // added to the kernel's command line
  std::string ready = "ssh";
  std::string kernel = "vmlinux";
  std::string memory = "384 MiB";
};

/// The text of a profile for the guest.
std::string profile(const std::string& name, const Recipe& recipe);

/// A VM of the micro guest in a home, ready when this is made. The home ends it.
class Guest {
 public:
  Guest(const test::Home& home, std::string name, const Recipe& recipe);

  /// A command of root's in the guest, by the real ssh through the forwarded port.
  test::Result ssh(const std::string& command) const;
  /// Its output without the last newline; fails the test if the command does.
  std::string say(const std::string& command) const;
  nlohmann::json status() const;
  /// `qlaunch status --get KEY`, without the newline.
  std::string get(const std::string& key) const;
  /// `qlaunch wait --for WHAT --timeout TIMEOUT`.
  test::Result wait(const std::string& what, const std::string& timeout = "60s") const;
  test::Result up(const std::vector<std::string>& more = {}) const;
  /// By its power button; the VM has to end by that.
  void shut_down() const;
  std::string serial() const;
  /// How often this event stands in the journal.
  int events(const std::string& event) const;

  const std::string& name() const { return name_; }

 private:
  const test::Home& home_;
  std::string name_;
};

/// A command of root's in the guest behind this port of the host, by the real ssh.
test::Result ssh(const std::string& port, const std::string& command);

/// A [[share]] table.
std::string share(const std::string& tag, const std::string& path, const std::string& driver,
                  bool readonly);

/// What a folder holds: a line for each path with type, mode, and content or size.
std::string picture(const std::string& folder);

}  // namespace micro
