// SPDX-License-Identifier: MIT
#include "plan/disk_files.hpp"

#include "core/quote.hpp"
#include "core/units.hpp"
#include "plan/disk_images.hpp"
#include "plan/identity.hpp"
#include "plan/warm.hpp"
#include "profile/expand.hpp"

namespace qlaunch::planner {

namespace {

constexpr const char* overlay_rule =
    "a linked overlay: it holds only what differs from its base, which stays as it is";

std::string disk_called(const Disk& disk) {
  return (disk.media == DiskMedia::cdrom ? "CD image of drive " : "disk ") +
         in_backticks(disk.name);
}

/// Whether what is written to it ends with the run.
bool is_ephemeral(const Draft& draft, const Disk& disk) {
  return disk.ephemeral || !draft.input.ephemeral_of.empty();
}

std::string default_path(const std::string& folder, const Disk& disk) {
  // A name becomes part of a path: one that QEMU would not take as an id does not do here either.
  return folder + '/' + qemu_id("", disk.name) +
         (disk.format == DiskFormat::qcow2 ? ".qcow2" : ".raw");
}

/// A run of which nothing is to be left starts from the disk that is there, and makes a missing one
/// where only that run finds it.
std::string path_of(const Draft& draft, const Disk& disk) {
  const auto& of = draft.input.ephemeral_of;
  const auto own = default_path(draft.plan.paths.data, disk);
  if (of.empty()) return disk.file.empty() ? own : disk.file;
  const auto kept = disk.file.empty() ? default_path(of, disk) : disk.file;
  const bool made = disk.size || !disk.base.empty() || !disk.image.empty();
  return made && draft.file(kept).kind == FileFact::Kind::missing ? own : kept;
}

/// What the file's bytes say against what the profile says. A wrong format loses data: a guest
/// that writes into a qcow2 file taken for raw destroys it.
void check_existing(Draft& draft, std::size_t index, const std::string& path,
                    const FileFact& fact) {
  const auto& disk = draft.profile.disks[index];
  const auto file_key = key_of("disk", index, "file");
  if (fact.kind == FileFact::Kind::folder || fact.kind == FileFact::Kind::other) {
    draft.error(file_key, in_backticks(path) + " is not a file that can be a disk");
    return;
  }
  if (!fact.readable) {
    draft.error(file_key, in_backticks(path) + " cannot be read");
    return;
  }
  if (!disk.readonly && !is_ephemeral(draft, disk) && !fact.writable) {
    draft.error(file_key, in_backticks(path) + " cannot be written")
        .help.emplace_back(
            "give the disk readonly = true, or ephemeral = true to keep changes for "
            "one run");
  }
  const std::string wanted = disk.format == DiskFormat::qcow2 ? "qcow2" : "raw";
  if (!fact.format.empty() && fact.format != wanted) {
    const auto format_key = key_of("disk", index, "format");
    draft
        .error(draft.profile.is_set(format_key) ? format_key : file_key,
               disk_called(disk) + " is " + fact.format + ", and the profile says " + wanted)
        .help.push_back("use format = \"" + fact.format + "\" for " + in_backticks(path));
    return;
  }
  const auto size = fact.virtual_size.value_or(fact.size);
  if (!disk.size || disk.media == DiskMedia::cdrom || size == 0 || *disk.size == size) return;
  auto& note = draft.note(key_of("disk", index, "size"), disk_called(disk) + " exists with " +
                                                             format_size(size) + " and stays so");
  if (*disk.size < size) {
    note.help.emplace_back("a disk is never shrunk: that would cut off what is on it");
  } else {
    note.help.push_back("$ qlaunch disk resize " + shell_quote(path) + ' ' +
                        std::to_string(*disk.size));
  }
}

void make_disk(Draft& draft, std::size_t index, const std::string& path,
               const std::optional<DiskBase>& base) {
  const auto& disk = draft.profile.disks[index];
  const auto& data = draft.plan.paths.data;
  const auto folder = folder_of(path);
  if (folder == data) {
    draft.need_folder(data, "this VM's lasting files");
  } else if (draft.facts.file && draft.file(folder).kind != FileFact::Kind::folder) {
    draft.error(key_of("disk", index, "file"),
                disk_called(disk) + " cannot be made: there is no folder " + in_backticks(folder));
  }
  MakeDisk make{path, disk.format, disk.size, {}, {}, false};
  if (base) {
    if (disk.format != DiskFormat::qcow2) {
      draft.error(key_of("disk", index, "format"),
                  disk_called(disk) + " is a linked overlay, which only qcow2 can be");
      return;
    }
    if (disk.size && base->size && *disk.size < *base->size) {
      draft
          .error(key_of("disk", index, "size"), disk_called(disk) +
                                                    " would be smaller than its base (" +
                                                    format_size(*base->size) + ')')
          .help.emplace_back("give at least that size, or leave `size` out");
    }
    make.base = base->path;
    make.base_format = base->format;
    draft.prepare({make, draft.because(base->key, overlay_rule)});
  } else {
    draft.prepare(
        {make, draft.because(key_of("disk", index, "size"), "made only if it is missing")});
  }
}

/// Every disk that is written to lies on one that was frozen with the saved state.
DiskFile warm_overlay(Draft& draft, std::size_t index) {
  const auto& disk = draft.profile.disks[index];
  const auto& folder = draft.input.warm->folder;
  const auto overlay = draft.plan.paths.data + '/' + qemu_id("", disk.name) + ".qcow2";
  draft.need_folder(draft.plan.paths.data, "this run's own files");
  draft.prepare({CopyFile{overlay, frozen_overlay(folder, overlay)},
                 draft.because("start.warm", "an empty overlay on the disk of the saved state")});
  return {overlay, DiskFormat::qcow2, false, false};
}

DiskFile ephemeral_overlay(Draft& draft, std::size_t index, const std::string& path,
                           DiskFormat format) {
  const auto& disk = draft.profile.disks[index];
  // The runtime folder is most often in memory: too small for a run that writes as it likes.
  const auto& paths = draft.plan.paths;
  const bool whole = !draft.input.ephemeral_of.empty();
  const auto overlay =
      (whole ? paths.data : paths.runtime) + '/' + qemu_id("", disk.name) + ".qcow2";
  if (whole) draft.need_folder(paths.data, "this run's own files");
  draft.prepare(
      {MakeDisk{overlay, DiskFormat::qcow2, std::nullopt, path,
                format == DiskFormat::qcow2 ? "qcow2" : "raw", true},
       draft.because(key_of("disk", index, "ephemeral"),
                     "writes go here and end with the VM: -blockdev has no snapshot=on")});
  return {overlay, DiskFormat::qcow2, false, false};
}

}  // namespace

std::optional<DiskFile> resolve_disk(Draft& draft, std::size_t index) {
  const auto& disk = draft.profile.disks[index];
  const bool cdrom = disk.media == DiskMedia::cdrom;
  if (cdrom && disk.file.empty() && disk.image.empty())
    return DiskFile{{}, disk.format, true, false};

  if (draft.input.warm && !draft.input.warm->folder.empty() && !cdrom && !disk.readonly)
    return warm_overlay(draft, index);
  const auto base = resolve_base(draft, index);
  const bool wants_base = !disk.base.empty() || !disk.image.empty();
  if (wants_base && !base) return std::nullopt;
  // What is never written needs no overlay.
  if (base && disk.file.empty() && (cdrom || disk.readonly))
    return DiskFile{base->path, base->format == "qcow2" ? DiskFormat::qcow2 : DiskFormat::raw, true,
                    false};

  const auto path = path_of(draft, disk);
  const auto fact = draft.file(path);
  if (fact.kind != FileFact::Kind::missing) {
    check_existing(draft, index, path, fact);
  } else if (cdrom || disk.readonly) {
    draft.error(key_of("disk", index, "file"),
                disk_called(disk) + ", " + in_backticks(path) + ", does not exist");
    return std::nullopt;
  } else if (base || disk.size) {
    make_disk(draft, index, path, base);
  } else {
    draft.error(key_of("disk", index), disk_called(disk) + " does not exist and has no size")
        .help.push_back(in_backticks(path) +
                        " is made if the disk has a `size`, such as size = "
                        "\"20 GiB\"");
    return std::nullopt;
  }
  // What only this run finds needs no overlay.
  const bool own =
      !draft.input.ephemeral_of.empty() && path == default_path(draft.plan.paths.data, disk);
  if (is_ephemeral(draft, disk) && !disk.readonly && !own)
    return ephemeral_overlay(draft, index, path, disk.format);
  return DiskFile{path, disk.format, disk.readonly || cdrom, fact.kind == FileFact::Kind::device};
}

}  // namespace qlaunch::planner
