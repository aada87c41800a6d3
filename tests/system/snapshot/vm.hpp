// SPDX-License-Identifier: MIT
// A small VM with three disks whose content a test writes and reads itself, without an operating
// system in it. Knows nothing of what a test is about.
#pragma once

#include "support/run.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace snap {

/// `more` stands in [machine]; `tail` behind all else.
std::string profile(const std::string& more = {}, const std::string& tail = {});

class Vm {
 public:
  /// Writes the profile `vm.toml`; starts nothing.
  explicit Vm(test::Home& home, const std::string& text = profile());

  /// A command of qlaunch that has to succeed; returns what it prints.
  std::string run(const std::vector<std::string>& words) const;
  test::Result attempt(const std::vector<std::string>& words) const { return home_.run(words); }
  std::string create(const std::string& tag, const std::vector<std::string>& more = {}) const;
  std::string revert(const std::string& tag, const std::vector<std::string>& more = {}) const;
  void up() const { run({"up", "vm.toml"}); }
  void kill() const { run({"kill", "vm"}); }

  nlohmann::json list() const;
  /// By tag; null where there is none.
  nlohmann::json find(const std::string& tag) const;
  /// Of all snapshots, as listed, with "*" at the current one and what is wrong with others.
  std::string tags() const;
  std::string state() const;
  int pid() const;
  /// A file in the VM's data folder.
  std::string file(const std::string& name) const;
  std::string disk(const std::string& name) const { return file(name + ".qcow2"); }

  /// A block of 64 KiB of `data` or `more`, full of this letter, flushed.
  void write(const std::string& disk, int block, char letter) const;
  void write(const std::string& disk, int block, char letter, bool runs) const;
  /// A letter for each of the 16 blocks, '.' for zeroes, '?' for a mixture.
  std::string content(const std::string& disk) const;

  /// The BIOS's count of timer ticks, in the guest's memory.
  long ticks() const;
  /// Lines of the human monitor.
  std::string monitor(const std::string& line) const;

  /// Every disk is whole; leaks are none where `strict`.
  void expect_whole_disks(bool strict = true) const;

  test::Home& home() const { return home_; }

 private:
  test::Home& home_;
};

/// Qemu-img's own opinion.
std::vector<std::string> tags_in(const std::string& path);

}  // namespace snap
