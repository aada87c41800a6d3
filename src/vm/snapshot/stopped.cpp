// SPDX-License-Identifier: MIT
// Snapshots of a VM that does not run, and whose name is held: on all its disks or on none.
#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/internal_snapshots.hpp"
#include "vm/disk/disks_in_use.hpp"
#include "vm/launch_lock.hpp"
#include "vm/record.hpp"
#include "vm/snapshot/parts.hpp"
#include "vm/snapshot/plan.hpp"
#include "vm/snapshot/steps.hpp"
#include "vm/snapshot/tag.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>

namespace qlaunch {
namespace {

bool has(const std::string& path, const std::string& tag) {
  return find_snapshot(read_internal_snapshots(path), tag) != nullptr;
}

/// A QEMU that was killed holds its disks for a moment longer than it lives.
void require_free_files(const SnapshotNote& note) {
  Plan plan;
  for (const auto& member : note.members)
    plan.disks.push_back({member.name, member.node, member.path, DiskFormat::qcow2, false});
  check_disks(plan);
}

void undo_making(const std::string& name, const SnapshotNote& note) {
  require_free_files(note);
  for (const auto& member : note.members) {
    if (file_fact(member.path).kind != FileFact::Kind::file) continue;
    if (has(member.path, note.tag)) delete_internal_snapshot(member.path, note.tag);
    // Nobody else knows that a command was cut off in it.
    if (member.name != "state") free_leaks(member.path);
  }
  tidy_state_image(name);
  remove_tree(tpm_copy_path(name, note.tag));
}

/// What a job of QEMU's came to, in the journal of its events.
enum class JobStory { none, begun, ended };

JobStory story_of(const std::string& name, const std::string& job) {
  auto story = JobStory::none;
  if (job.empty()) return story;
  std::ifstream journal(vm_paths(state_roots(), name).state + "/events.jsonl");
  for (std::string line; std::getline(journal, line);) {
    if (line.find(job) == std::string::npos) continue;
    story = JobStory::begun;
    if (line.find("\"concluded\"") != std::string::npos) return JobStory::ended;
  }
  return story;
}

void take_up_disks(const std::string& name, const SnapshotNote& note, bool cut_off) {
  require_free_files(note);
  bool first = true;
  for (const auto& member : note.members) {
    // It holds memory, which a VM that does not run has none of.
    if (member.name == "state") continue;
    if (cut_off) free_leaks(member.path);
    take_up_internal_snapshot(member.path, note.tag);
    if (std::exchange(first, false)) at_step(SnapshotStep::apply_first_disk);
  }
  restore_tpm(name, note);
  at_step(SnapshotStep::apply_all_disks);
  set_current_tag(name, note.tag);
}

/// Finished only where no guest can have written to the disks since: what is there then is worth
/// more than what somebody once began.
void settle_take_up(const std::string& name, const SnapshotWork& work) {
  const auto story = story_of(name, work.job);
  const auto end = read_end(name);
  const bool ran_since = !work.qemu && end && end->time > work.time;
  if (work.qemu ? story == JobStory::begun : !ran_since) {
    take_up_disks(name, work.note, true);
  } else if (story == JobStory::ended) {
    set_current_tag(name, work.note.tag);
  }
  tidy_state_image(name);
}

}  // namespace

SnapshotNote keep_stopped(const std::string& name, const Plan& plan, SnapshotNote note,
                          Undertaking& undertaking) {
  if (const auto blockers = find_blockers(plan); !blockers.empty())
    throw blocked(name, blockers, true);
  for (const auto& disk : written_disks(plan)) {
    if (file_fact(disk.path).kind != FileFact::Kind::file)
      throw StateError("disk " + in_backticks(disk.name) + " of VM " + in_backticks(name) +
                       " is not there: " + in_backticks(disk.path));
    note.members.push_back(member_of(disk));
    require_space(disk.path, mib);
  }
  if (note.members.empty())
    throw StateError("VM " + in_backticks(name) + " has no disk that is written to")
        .help("while it runs, a snapshot keeps its memory");
  check_disks(plan);
  const auto tpm = tpm_folder(plan);
  note.tpm = !tpm.empty() && file_fact(tpm).kind == FileFact::Kind::folder;
  const auto work = new_work(SnapshotWork::Kind::make, note);
  write_work(name, work);
  at_step(SnapshotStep::keep_begun);
  try {
    bool first = true;
    for (const auto& member : note.members) {
      make_internal_snapshot(member.path, note.tag);
      if (std::exchange(first, false)) at_step(SnapshotStep::keep_first_disk);
      if (undertaking.interrupted()) throw Error("interrupted: the snapshot was undone");
    }
    if (note.tpm) copy_tpm(name, note, tpm);
    at_step(SnapshotStep::keep_all_disks);
    auto done = finish_making(name, work);
    at_step(SnapshotStep::keep_recorded);
    remove_work(name);
    return done;
  } catch (...) {
    undo_making(name, note);
    remove_note(name, note.tag);
    if (current_tag(name) == note.tag) set_current_tag(name, note.parent);
    remove_work(name);
    throw;
  }
}

void take_up_stopped(const std::string& name, const SnapshotNote& note, Undertaking& undertaking) {
  undertaking.now("going back to snapshot " + in_backticks(note.tag));
  require_tpm_copy(name, note);
  for (const auto& member : note.members) {
    if (member.name != "state") require_space(member.path, mib);
  }
  write_work(name, new_work(SnapshotWork::Kind::take_up, note));
  at_step(SnapshotStep::apply_begun);
  take_up_disks(name, note, false);
  remove_work(name);
}

void remove_stopped(const SnapshotNote& note) {
  require_free_files(note);
  bool first = true;
  for (const auto& member : note.members) {
    if (!has(member.path, note.tag)) continue;
    delete_internal_snapshot(member.path, note.tag);
    if (std::exchange(first, false)) at_step(SnapshotStep::delete_first_disk);
  }
}

std::string keep_before_revert(const std::string& name, const Plan& now, const SnapshotNote& to,
                               Undertaking& undertaking) {
  // The snapshot may hold a disk that the VM no longer has, and that somebody has written to since.
  auto plan = now;
  auto disks = written_disks(plan);
  for (const auto& member : to.members) {
    const bool known = std::any_of(disks.begin(), disks.end(), [&](const PlannedDisk& disk) {
      return disk.path == member.path;
    });
    if (known || member.name == "state" || file_fact(member.path).kind != FileFact::Kind::file)
      continue;
    plan.disks.push_back({member.name, member.node, member.path, DiskFormat::qcow2, false});
  }
  disks = written_disks(plan);
  const auto list = read_snapshots(name, plan);
  if (tpm_folder(plan).empty()) {
    for (const auto& entry : list.entries) {
      const bool same = entry.health == SnapshotHealth::whole &&
                        std::all_of(disks.begin(), disks.end(), [&](const auto& disk) {
                          return unchanged_since(disk.path, entry.note.tag);
                        });
      if (same) return {};
    }
  }
  // qemu-img makes a second snapshot of the same tag without a word.
  const auto wanted = before_revert_tag(std::chrono::system_clock::now());
  auto tag = wanted;
  for (int number = 2; find_entry(list.entries, tag) != nullptr; ++number)
    tag = wanted + '-' + std::to_string(number);
  undertaking.now("saving snapshot " + in_backticks(tag));
  keep_stopped(name, plan, begin_note(name, plan, tag, "kept by a revert"), undertaking);
  return tag;
}

void settle_stopped(const std::string& name) {
  const auto work = read_work(name);
  if (!work) return;
  const auto& note = work->note;
  switch (work->kind) {
    case SnapshotWork::Kind::make:
      if (all_have_it(name, note)) {
        for (const auto& member : note.members) free_leaks(member.path);
        finish_making(name, *work);
      } else {
        undo_making(name, note);
      }
      break;
    case SnapshotWork::Kind::take_up:
      settle_take_up(name, *work);
      break;
    case SnapshotWork::Kind::remove:
      remove_stopped(note);
      for (const auto& member : note.members) {
        if (file_fact(member.path).kind == FileFact::Kind::file) free_leaks(member.path);
      }
      tidy_state_image(name);
      forget_snapshot(name, note.tag);
      break;
  }
  remove_work(name);
}

void settle_before_start(const std::string& name) {
  const auto work = read_work(name);
  if (!work) return;
  if (alive(work->process) && !(work->process == new_work({}, {}).process)) {
    const auto operation = operation_under_way(name);
    throw StateError("VM " + in_backticks(name) + " cannot start now: " +
                     (operation ? operation_text(*operation) : "another command is at its disks") +
                     " (pid " + std::to_string(work->process.pid) + ")")
        .help("try again when that is done");
  }
  clear_dead_run(name, vm_paths(state_roots(), name));
  settle_stopped(name);
}

}  // namespace qlaunch
