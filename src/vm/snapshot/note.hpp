// SPDX-License-Identifier: MIT
// What is kept about a snapshot beside the disks that hold it, one file for each:
// `data/NAME/snapshots/TAG.json`. Does not know whether the disks still have it.
#pragma once

#include "plan/plan.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

enum class SnapshotKind {
  live,   // memory and disks of a running VM
  disks,  // disks alone
};

/// What the guest did when it was made.
enum class GuestThen { running, paused, off };

/// A file that holds a part of it.
struct SnapshotMember {
  std::string name;  // the disk's in the profile, "nvram", or "state" for the memory
  std::string node;  // QEMU's name for it
  std::string path;
  // Of the snapshot in the file: one of the same tag that another program made has others.
  std::int64_t date = 0;
  std::uint32_t date_nanoseconds = 0;

  bool operator==(const SnapshotMember&) const = default;
};

struct SnapshotNote {
  std::string tag;
  std::string text;     // what the user says of it
  std::string created;  // UTC
  std::string parent;   // the tag that the VM had been at; empty: none
  SnapshotKind kind = SnapshotKind::disks;
  GuestThen guest = GuestThen::off;
  bool agent = false;   // a guest agent listened
  bool frozen = false;  // the guest had written all out, and waited
  bool tpm = false;     // a copy of the TPM's folder is beside this note
  std::uint64_t vm_state_size = 0;
  std::uint64_t disk_size = 0;  // what the files took of the host's disk when it was made
  std::vector<SnapshotMember> members;
  std::string machine_type;
  std::int64_t cpus = 0;
  std::uint64_t memory = 0;
  std::string plan;  // of that run, as JSON text; empty: not known
  /// Shares that the guest did not have meanwhile, as JSON text (see vm/share/detach.hpp).
  std::string detached;
  /// What the guest had said of its provisioning, of a snapshot with memory; nothing: not known.
  std::optional<std::string> provision;

  const SnapshotMember* member(std::string_view name) const;
};

std::string note_to_json(const SnapshotNote& note, const VmPaths& paths);
/// Its paths are those below `paths`, whatever the VM was called when it was written. Throws Error.
SnapshotNote note_from_json(const std::string& text, const std::string& name, const VmPaths& paths);

/// Those that can be read, in no order; `damaged` gets the files of the others.
std::vector<SnapshotNote> read_notes(const std::string& name, std::vector<std::string>& damaged);
void write_note(const std::string& name, const SnapshotNote& note);
void remove_note(const std::string& name, const std::string& tag);

/// The tag that the VM was last at; empty: none.
std::string current_tag(const std::string& name);
void set_current_tag(const std::string& name, const std::string& tag);

/// Where a copy of the TPM's folder is kept.
std::string tpm_copy_path(const std::string& name, const std::string& tag);
/// The image for the memory of live snapshots.
std::string state_image_path(const std::string& name);

}  // namespace qlaunch
