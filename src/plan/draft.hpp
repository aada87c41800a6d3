// SPDX-License-Identifier: MIT
// A plan in the making: what every concern reads, and how it adds its arguments, preparations and
// findings. Decides nothing itself.
#pragma once

#include "plan/plan.hpp"
#include "plan/value.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch::planner {

/// What kind of board a machine type is; buses and device names follow from it.
enum class Board { q35, pc, microvm };

struct Draft {
  Draft(const Profile& the_profile, const HostFacts& the_facts, const PlanInput& the_input);

  const Profile& profile;
  const HostFacts& facts;
  const PlanInput& input;
  Plan plan;
  std::vector<Diagnostic> diagnostics;
  Board board = Board::q35;

  /// A reason whose place is shown only where a file gave this very key.
  Reason because(const std::string& key, std::string rule) const;
  static Reason by_rule(std::string rule) { return {{}, std::move(rule)}; }

  void option(std::vector<std::string> words, Reason reason);
  void json_option(std::string name, const Value& value, Reason reason);
  void object(const Value& value, Reason reason);
  /// `key` is where an error points if this QEMU has no such device.
  void device(const Value& value, Reason reason, const std::string& key);
  /// Adds ",text" to -machine, whose reason then says `why` too.
  void machine_property(const std::string& text, const std::string& why);

  /// A Unix socket that QEMU listens on: by descriptor or by path, as the input says. Returns what
  /// stands behind "-chardev".
  std::string listening_socket(const std::string& role, const std::string& more = {});
  /// A tap device on a bridge, as a descriptor: its number.
  int bridge_tap(const std::string& role, const std::string& bridge);
  /// A nameless file of this size for the guest's memory, as a descriptor: its number.
  int memory_file(std::uint64_t bytes);
  /// `<runtime>/name`, with an error where it is too long for a socket address.
  std::string socket_path(const std::string& name);

  /// "virtio-blk" -> "virtio-blk-pci", or "virtio-blk-device" where there is no PCI.
  std::string virtio(std::string_view device) const;
  /// The shared virtio-serial controller: its bus name; made at the first call.
  std::string serial_bus();
  /// The USB controller: its bus name; made at the first call.
  std::string usb_bus(const Reason& reason, const std::string& key);

  void prepare(Preparation what) { plan.preparations.push_back(std::move(what)); }
  void need_folder(const std::string& path, std::string rule);

  Diagnostic& error(const std::string& key, std::string message);
  Diagnostic& warning(const std::string& key, std::string message);
  Diagnostic& note(const std::string& key, std::string message);
  /// A value that a device of the microvm board has no place for.
  void not_on_microvm(const std::string& key, const std::string& what);

  FileFact file(const std::string& path) const;

  /// What the guest's own names follow from: a VM that is renamed stays the same to its guest.
  const std::string& identity() const {
    return input.identity.empty() ? profile.name : input.identity;
  }

 private:
  std::size_t machine_ = 0;  // index of -machine
  bool has_serial_bus_ = false, has_usb_bus_ = false;
  int next_descriptor_ = 3;
};

/// "disk[0].size" from ("disk", 0, "size"); without the dot where `member` is empty.
std::string key_of(std::string_view table, std::size_t index, std::string_view member = {});

}  // namespace qlaunch::planner
