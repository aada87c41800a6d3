// SPDX-License-Identifier: MIT
// What is kept of a VM between its runs, and how its last run ended. Says nothing of whether it
// runs now (see live.hpp).
#pragma once

#include "plan/plan.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// A file as it was when it was read.
struct RecordedSource {
  std::string path;
  std::string content;
};

struct Record {
  std::string name;
  /// What it was called first: its profile may still call it so, and its MAC addresses and UUID
  /// follow from it.
  std::string identity;
  std::string profile;  // absolute path, or "builtin:hello"; a clone's is in its own folder
  std::vector<RecordedSource>
      sources;                        // the profile and what it extends, as they were at the start
  std::vector<std::string> settings;  // --set
  std::string folder;                 // what relative paths in them start from
  std::string machine_asked;          // the profile's word when the type was pinned: "q35"
  std::string machine_type;           // versioned: "pc-q35-7.2"
  std::map<std::string, std::uint16_t> auto_ports;  // by auto_port_key()
  std::string created;                              // UTC, "2026-01-31T12:00:00.000Z"
  /// The plan of the last start, as JSON: see recorded_plan(). Most readers do not need it, and
  /// every start reads a record.
  std::string plan;
};

/// How a run ended, in words for people and as a key for scripts.
struct EndOfRun {
  std::string time;
  std::string reason;     // "guest-shutdown", "quit", "signal", "error", "unknown" …
  std::string text;       // "the guest powered off"
  std::string exit = {};  // of QEMU: "exit code 1"; empty: not known
  std::string said = {};  // QEMU's last words where it failed
};

/// What an "auto" forward is remembered by: "net0/tcp/22".
std::string auto_port_key(const std::string& network, const Forward& forward);

/// Of another version's record, which this one cannot read, only the name.
Plan recorded_plan(const Record& record);

/// Nothing where there is none; throws where it cannot be read.
std::optional<Record> read_record(const std::string& name);
/// Throws StateError where there is none.
Record require_record(const std::string& name);
/// Leaves the file alone where it says the same already.
void write_record(const Record& record);
/// The same into another folder, which is to become `data`, the VM's own.
void write_record_in(const std::string& folder, const Record& record, const std::string& data);

std::optional<EndOfRun> read_end(const std::string& name);
void write_end(const std::string& name, const EndOfRun& end);

/// Whether the files ask for something else than they did at the last start (see diff.hpp).
bool profile_changed(const Record& record);

}  // namespace qlaunch
