// SPDX-License-Identifier: MIT
#include "vm/snapshot/tree.hpp"

#include "core/quote.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <set>

namespace qlaunch {
namespace {

/// As journal.hpp writes times.
std::string utc(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 40> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.000Z", &parts);
  return {text.data(), length};
}

const SnapshotFile* file_at(const std::vector<SnapshotFile>& files, const std::string& path) {
  const auto found =
      std::find_if(files.begin(), files.end(), [&](const auto& each) { return each.path == path; });
  return found == files.end() ? nullptr : &*found;
}

std::string names(const std::vector<std::string>& all) {
  std::vector<std::string> quoted;
  quoted.reserve(all.size());
  for (const auto& each : all) quoted.push_back(in_backticks(each));
  return enumerate(quoted);
}

SnapshotEntry judge(SnapshotNote note, const std::vector<SnapshotFile>& files) {
  SnapshotEntry entry;
  std::vector<std::string> missing, other;
  for (const auto& member : note.members) {
    const auto* file = file_at(files, member.path);
    const auto* there = file == nullptr ? nullptr : find_snapshot(file->snapshots, note.tag);
    if (there == nullptr) {
      missing.push_back(member.name);
    } else if (there->date != member.date || there->date_nanoseconds != member.date_nanoseconds) {
      other.push_back(member.name);
    }
  }
  if (!note.members.empty() && missing.size() == note.members.size()) {
    entry.health = SnapshotHealth::lost;
    entry.problem = "no disk has it any more";
  } else if (!missing.empty()) {
    entry.health = SnapshotHealth::broken;
    entry.problem = "not on " + names(missing);
  } else if (!other.empty()) {
    entry.health = SnapshotHealth::broken;
    entry.problem = "another program has made it anew on " + names(other);
  }
  entry.note = std::move(note);
  return entry;
}

/// A tag that no note tells of.
SnapshotEntry guess(const std::string& tag, const std::vector<SnapshotFile>& files) {
  SnapshotEntry entry;
  entry.noted = false;
  auto& note = entry.note;
  note.tag = tag;
  std::vector<std::string> missing;
  std::int64_t oldest = 0;
  for (const auto& file : files) {
    const auto* there = find_snapshot(file.snapshots, tag);
    if (there == nullptr) {
      if (file.in_plan && !file.state) missing.push_back(file.name);
      continue;
    }
    note.members.push_back({file.name, file.node, file.path, there->date, there->date_nanoseconds});
    note.vm_state_size = std::max(note.vm_state_size, there->vm_state_size);
    oldest = oldest == 0 ? there->date : std::min(oldest, there->date);
  }
  note.created = utc(oldest);
  entry.health = missing.empty() ? SnapshotHealth::foreign : SnapshotHealth::broken;
  entry.problem = missing.empty() ? "made by another program" : "not on " + names(missing);
  return entry;
}

/// In the order of a tree, with the place of each in it.
class Tree {
 public:
  explicit Tree(std::vector<SnapshotEntry> entries) : entries_(std::move(entries)) {
    std::stable_sort(entries_.begin(), entries_.end(), [](const auto& left, const auto& right) {
      return std::tie(left.note.created, left.note.tag) <
             std::tie(right.note.created, right.note.tag);
    });
    for (std::size_t index = 0; index < entries_.size(); ++index)
      by_tag_[entries_[index].note.tag] = index;
    for (std::size_t index = 0; index < entries_.size(); ++index)
      children_[has_parent(index) ? entries_[index].note.parent : std::string()].push_back(index);
  }

  std::vector<SnapshotEntry> walk() {
    place("", 0);
    // Parents that are each other's children: no root leads there.
    for (std::size_t index = 0; index < entries_.size(); ++index) {
      if (placed_.contains(index)) continue;
      put(index, 0, true);
    }
    return std::move(out_);
  }

 private:
  bool has_parent(std::size_t index) const {
    const auto& note = entries_[index].note;
    const auto found = by_tag_.find(note.parent);
    return !note.parent.empty() && found != by_tag_.end() && found->second != index;
  }

  void place(const std::string& parent, int depth) {
    const auto found = children_.find(parent);
    if (found == children_.end()) return;
    for (const auto index : found->second) put(index, depth, index == found->second.back());
  }

  void put(std::size_t index, int depth, bool last) {
    if (!placed_.insert(index).second) return;
    auto entry = entries_[index];
    entry.depth = depth;
    entry.last = last;
    const auto tag = entry.note.tag;
    out_.push_back(std::move(entry));
    place(tag, depth + 1);
  }

  std::vector<SnapshotEntry> entries_;
  std::map<std::string, std::size_t> by_tag_;
  std::map<std::string, std::vector<std::size_t>> children_;
  std::set<std::size_t> placed_;
  std::vector<SnapshotEntry> out_;
};

}  // namespace

std::vector<SnapshotEntry> reconcile(std::vector<SnapshotNote> notes,
                                     const std::vector<SnapshotFile>& files,
                                     const std::string& current) {
  std::vector<SnapshotEntry> entries;
  std::set<std::string> seen;
  for (auto& note : notes) {
    seen.insert(note.tag);
    entries.push_back(judge(std::move(note), files));
  }
  for (const auto& file : files) {
    for (const auto& snapshot : file.snapshots) {
      if (seen.insert(snapshot.tag).second) entries.push_back(guess(snapshot.tag, files));
    }
  }
  for (auto& entry : entries) entry.current = entry.note.tag == current;
  return Tree(std::move(entries)).walk();
}

const SnapshotEntry* find_entry(const std::vector<SnapshotEntry>& entries, const std::string& tag) {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& each) { return each.note.tag == tag; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace qlaunch
