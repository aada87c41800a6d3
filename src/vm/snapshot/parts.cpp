// SPDX-License-Identifier: MIT
#include "vm/snapshot/parts.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/internal_snapshots.hpp"
#include "plan/plan_json.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/journal.hpp"
#include "vm/record.hpp"
#include "vm/snapshot/plan.hpp"
#include "vm/snapshot/progress.hpp"

#include <algorithm>
#include <filesystem>

namespace qlaunch {

namespace fs = std::filesystem;

Undertaking::Undertaking(const std::string& name, std::string what, const SnapshotTelling& telling)
    : what_(std::move(what)), telling_(telling), record_(name, what_) {
  telling_.doing(operation_text({what_, {}, {}, {}}));
}

void Undertaking::now(const std::string& what) {
  what_ = what;
  record_.now(what);
  telling_.doing(operation_text({what_, {}, {}, {}}));
}

Percent Undertaking::percent() {
  return [this](int percent) {
    record_.progress(percent);
    telling_.doing(operation_text({what_, {}, percent, {}}));
  };
}

Plan last_plan(const std::string& name) {
  const auto record = require_record(name);
  return recorded_plan(record);
}

std::vector<SnapshotFile> snapshot_files(const std::string& name, const Plan& plan,
                                         const std::vector<SnapshotNote>& notes) {
  std::vector<SnapshotFile> files;
  const auto add = [&](SnapshotFile file) {
    const bool known = std::any_of(files.begin(), files.end(),
                                   [&](const auto& each) { return each.path == file.path; });
    if (known) return;
    file.snapshots = read_internal_snapshots(written_now(file.path));
    files.push_back(std::move(file));
  };
  for (const auto& disk : written_disks(plan)) {
    if (disk.format == DiskFormat::qcow2) add({disk.name, disk.node, disk.path});
  }
  add({"state", "state", state_image_path(name), true, true});
  for (const auto& note : notes) {
    for (const auto& member : note.members)
      add({member.name, member.node, member.path, false, member.name == "state"});
  }
  return files;
}

SnapshotList read_snapshots(const std::string& name, const Plan& plan) {
  SnapshotList list;
  const auto notes = read_notes(name, list.damaged);
  const auto files = snapshot_files(name, plan, notes);
  list.entries = reconcile(notes, files, current_tag(name));
  return list;
}

SnapshotNote begin_note(const std::string& name, const Plan& plan, const std::string& tag,
                        const std::string& text) {
  SnapshotNote note;
  note.tag = tag;
  note.text = text;
  note.created = timestamp();
  note.parent = current_tag(name);
  note.machine_type = plan.machine_type;
  note.cpus = plan.cpus;
  note.memory = plan.memory;
  note.plan = plan_to_json(plan_to_keep(plan));
  return note;
}

SnapshotMember member_of(const PlannedDisk& disk) {
  return {disk.name, disk.node, disk.path};
}

void require_space(const std::string& path, std::uint64_t bytes) {
  const auto folder = fs::path(path).parent_path().string();
  const auto free = free_space(folder);
  if (free >= bytes) return;
  throw Error("not enough space in " + in_backticks(folder) + " for a snapshot: it takes about " +
              format_size_rounded(bytes) + ", and " + format_size_rounded(free) + " are free")
      .help("delete what is not needed there; `qlaunch snapshot list` shows the VM's snapshots");
}

namespace {

bool has_tpm_copy(const std::string& name, const SnapshotNote& note) {
  return file_fact(tpm_copy_path(name, note.tag)).kind == FileFact::Kind::folder;
}

}  // namespace

bool all_have_it(const std::string& name, const SnapshotNote& note) {
  // Beside memory it is a second copy.
  const bool needs_tpm = note.tpm && note.kind == SnapshotKind::disks;
  if (needs_tpm && !has_tpm_copy(name, note)) return false;
  return std::all_of(note.members.begin(), note.members.end(), [&](const auto& member) {
    return find_snapshot(read_internal_snapshots(written_now(member.path)), note.tag) != nullptr;
  });
}

SnapshotNote finish_making(const std::string& name, const SnapshotWork& work) {
  auto note = work.note;
  note.disk_size = 0;
  note.tpm = note.tpm && has_tpm_copy(name, note);
  for (auto& member : note.members) {
    const auto there = read_internal_snapshots(written_now(member.path));
    const auto* snapshot = find_snapshot(there, note.tag);
    if (snapshot == nullptr)
      throw Error("disk " + in_backticks(member.name) + " does not have the snapshot " +
                  in_backticks(note.tag) + ", although making it succeeded");
    member.date = snapshot->date;
    member.date_nanoseconds = snapshot->date_nanoseconds;
    if (member.name == "state") {
      note.vm_state_size = snapshot->vm_state_size;
    } else {
      note.disk_size += allocated_size(written_now(member.path));
    }
  }
  write_note(name, note);
  set_current_tag(name, note.tag);
  return note;
}

void forget_snapshot(const std::string& name, const std::string& tag) {
  std::vector<std::string> damaged;
  const auto notes = read_notes(name, damaged);
  std::string parent;
  for (const auto& note : notes) {
    if (note.tag == tag) parent = note.parent;
  }
  for (auto note : notes) {
    if (note.parent != tag) continue;
    note.parent = parent;
    write_note(name, note);
  }
  if (current_tag(name) == tag) set_current_tag(name, parent);
  remove_tree(tpm_copy_path(name, tag));
  remove_note(name, tag);
}

namespace {

/// Whole under its name, or not there.
void copy_folder(const std::string& from, const std::string& to) {
  const auto fresh = to + ".new";
  remove_tree(fresh);
  std::error_code error;
  fs::copy(from, fresh, fs::copy_options::recursive, error);
  if (!error) {
    remove_tree(to);
    fs::rename(fresh, to, error);
  }
  if (!error) return;
  remove_tree(fresh);
  throw system_error("cannot copy the TPM's state to " + in_backticks(to), error.value());
}

}  // namespace

void copy_tpm(const std::string& name, const SnapshotNote& note, const std::string& folder) {
  const auto copy = tpm_copy_path(name, note.tag);
  make_private_folder(fs::path(copy).parent_path().string());
  copy_folder(folder, copy);
}

void require_tpm_copy(const std::string& name, const SnapshotNote& note) {
  if (!note.tpm || has_tpm_copy(name, note)) return;
  throw Error("the TPM's state of snapshot " + in_backticks(note.tag) +
              " is gone: " + in_backticks(tpm_copy_path(name, note.tag)));
}

void restore_tpm(const std::string& name, const SnapshotNote& note) {
  if (!note.tpm) return;
  require_tpm_copy(name, note);
  copy_folder(tpm_copy_path(name, note.tag), vm_paths(state_roots(), name).data + "/tpm");
}

const SnapshotEntry& require_whole(const std::string& name, const SnapshotList& list,
                                   const std::string& tag) {
  const auto* entry = find_entry(list.entries, tag);
  const auto vm = shell_quote(name);
  if (entry == nullptr) {
    StateError error("VM " + in_backticks(name) + " has no snapshot " + in_backticks(tag));
    std::vector<std::string> tags;
    tags.reserve(list.entries.size());
    for (const auto& each : list.entries) tags.push_back(each.note.tag);
    if (const auto near = nearest(tag, tags))
      error.help("did you mean " + in_backticks(*near) + "?");
    throw std::move(error).help("`qlaunch snapshot list " + vm + "` shows its snapshots");
  }
  if (entry->health == SnapshotHealth::whole || entry->health == SnapshotHealth::foreign)
    return *entry;
  throw StateError("snapshot " + in_backticks(tag) + " of VM " + in_backticks(name) +
                   (entry->health == SnapshotHealth::lost ? " is lost: " : " is broken: ") +
                   entry->problem)
      .help("`qlaunch snapshot delete " + vm + ' ' + shell_quote(tag) + "` removes what is left");
}

}  // namespace qlaunch
