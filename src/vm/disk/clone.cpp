// SPDX-License-Identifier: MIT
#include "vm/disk/clone.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/facts.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "profile/syntax.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/clone_live.hpp"
#include "vm/disk/clone_profile.hpp"
#include "vm/disk/clone_staging.hpp"
#include "vm/disk/disk_facts.hpp"
#include "vm/disk/frozen.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/ephemeral.hpp"
#include "vm/journal.hpp"
#include "vm/launch_lock.hpp"
#include "vm/record.hpp"
#include "vm/snapshot/parts.hpp"
#include "vm/ssh_config.hpp"
#include "vm/state/suspended.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include <sys/stat.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

/// What has to be there for a name to be a new VM's.
void check_new_name(const std::string& from, const std::string& to) {
  if (const auto problem = check_vm_name(to)) {
    UsageError error(in_backticks(to) + " cannot be the name of a VM: " + problem->message);
    for (const auto& help : problem->help) error.help(help);
    throw error;
  }
  if (from == to) throw UsageError("a clone needs a name of its own");
}

class Cloning {
 public:
  explicit Cloning(const CloneRequest& request)
      : request_(request),
        old_(vm_paths(state_roots(), request.from)),
        new_(vm_paths(state_roots(), request.to)),
        record_(require_record(request.from)) {}

  Cloned run() {
    // It is not to be deleted meanwhile.
    std::optional<SnapshotLock> kept;
    if (!request_.tag.empty()) kept.emplace(request_.from);
    // In one order, whoever asks: two of them must not wait for each other.
    const bool first = request_.from < request_.to;
    const LaunchLock one(first ? request_.from : request_.to, first ? old_ : new_);
    const LaunchLock two(first ? request_.to : request_.from, first ? new_ : old_);
    const bool fresh = (first ? two : one).fresh();
    if (!fresh)
      throw StateError("the name " + in_backticks(request_.to) + " is taken: there is a VM " +
                       in_backticks(request_.to));
    try {
      if ((first ? one : two).fresh()) {
        remove_tree(old_.data);
        throw StateError("VM " + in_backticks(request_.from) + " was renamed or removed meanwhile");
      }
      record_ = require_record(request_.from);
      return make();
    } catch (...) {
      // Only its lock is in it.
      if (!done_) remove_tree(new_.data);
      throw;
    }
  }

 private:
  Cloned make() {
    std::error_code ignored;
    if (fs::exists(new_.state, ignored))
      throw StateError("the name " + in_backticks(request_.to) +
                       " is taken: logs of an earlier VM are in " + in_backticks(new_.state));
    profile_ = parent_profile();
    if (auto status = look(request_.from, false); status.live) live_ = std::move(status.live);
    if (!live_) {
      refuse_suspended(request_.from, "cannot be cloned: its disks have to stay as they are");
      // A revert that was cut off has gone back on some disks only.
      settle_before_start(request_.from);
    }
    if (!request_.tag.empty()) require_snapshot();
    gather();
    Staging staging(request_.to);
    require_space(disks_, staging.path());
    write_profile(staging.path());
    if (!takes_live_disks()) {
      for (const auto& disk : disks_) {
        if (disk.way != CloneWay::copied) continue;
        check_interrupt();
        copy_disk(qemu_img_, disk, staging.path(), request_);
      }
      copy_tpm(staging.path());
    }
    at_step("clone-staged");
    check_interrupt();
    {
      const FrozenLock held;
      link_disks(staging.path());
      write_record_of(staging.path());
      at_step("clone-recorded");
      check_interrupt();
      staging.become(new_.data);
      done_ = true;
    }
    at_step("clone-done");
    journal(request_.from, "CLONED", nlohmann::json{{"to", request_.to}}.dump());
    return report();
  }

  bool takes_live_disks() const { return live_ && request_.tag.empty(); }

  void require_snapshot() const {
    const auto plan = live_ ? live_->plan : last_plan(request_.from);
    require_whole(request_.from, read_snapshots(request_.from, plan), request_.tag);
  }

  void check_interrupt() const {
    if (request_.interrupted()) throw Error("interrupted");
  }

  /// What it says now: the clone goes by it from its first start on.
  Profile parent_profile() const {
    auto loaded = open_profile(profile_of(record_), {}, record_.folder);
    if (has_errors(loaded.diagnostics)) throw ProfileError(std::move(loaded.diagnostics));
    return std::move(loaded.profile);
  }

  void gather() {
    const CloneRules rules{request_.copy, takes_live_disks(), old_.data};
    for (const auto& each : profile_.disks) {
      if (!is_cloned(each)) continue;
      const auto file = clone_disk_file(each);
      add(each.name, path_of(each, file), file, each.format == DiskFormat::qcow2 ? "qcow2" : "raw",
          rules);
    }
    const auto plan = live_ ? live_->plan : recorded_plan(record_);
    if (plan.nvram) {
      add("nvram", plan.nvram->path, "nvram.qcow2", "qcow2", rules);
      if (!disks_.empty() && disks_.back().file == "nvram.qcow2") {
        // Half a MiB, and firmware of another kind would not find it through an overlay.
        disks_.back().nvram = true;
        disks_.back().way = CloneWay::copied;
        disks_.back().base.clear();
        disks_.back().why.clear();
      }
    }
    if (takes_live_disks()) find_nodes(plan);
  }

  /// Of a VM that runs where it is written now.
  std::string path_of(const Disk& disk, const std::string& file) const {
    if (live_) {
      for (const auto& planned : live_->plan.disks) {
        if (planned.name == disk.name && !planned.readonly) return written_now(planned.path);
      }
    }
    return disk.file.empty() ? old_.data + '/' + file : disk.file;
  }

  void add(const std::string& name, const std::string& path, const std::string& file,
           const std::string& format, const CloneRules& rules) {
    // Made at the first start that needs it, and so is the clone's.
    if (file_fact(path).kind == FileFact::Kind::missing) return;
    CloneDisk disk;
    disk.name = name;
    disk.path = path;
    disk.file = file;
    if (!live_) require_unused_disk(disk);
    disk.image = qemu_img_.info(path, format);
    decide_way(disk, rules, !live_ && is_empty_overlay(qemu_img_, disk.image));
    if (!request_.tag.empty() && !take_from_snapshot(disk)) return;
    disks_.push_back(std::move(disk));
  }

  /// False where it is not in the snapshot: it was added to the profile since.
  bool take_from_snapshot(CloneDisk& disk) {
    const auto& there = disk.image.snapshots;
    const bool in_it = std::any_of(there.begin(), there.end(),
                                   [&](const auto& one) { return one.tag == request_.tag; });
    if (!in_it) {
      notes_.push_back("disk " + disk.name + " is not in " + request_.tag +
                       ": the clone's is made anew");
      return false;
    }
    disk.tag = request_.tag;
    disk.why.clear();
    return true;
  }

  void require_unused_disk(const CloneDisk& disk) const {
    DiskTarget target;
    target.path = disk.path;
    target.vm = request_.from;
    target.disk = disk.name;
    require_unused(target);
  }

  void find_nodes(const Plan& plan) {
    CommandSocket socket(*live_);
    for (auto& disk : disks_) {
      if (disk.nvram) {
        disk.node = plan.nvram->node;
        continue;
      }
      const auto planned = std::find_if(plan.disks.begin(), plan.disks.end(),
                                        [&](const auto& it) { return it.name == disk.name; });
      if (planned != plan.disks.end()) disk.node = current_node(socket.client(), *planned);
    }
    for (const auto& disk : disks_) {
      if (disk.node.empty())
        throw StateError("VM " + in_backticks(request_.from) + " runs without its disk " +
                         in_backticks(disk.name))
            .help("`qlaunch reload " + shell_quote(request_.from) + "` starts it with it");
    }
  }

  /// Profiles that are the parent's own come along: it may be removed.
  void write_profile(const std::string& folder) {
    CloneNames names;
    names.parent = request_.from;
    names.clone = request_.to;
    names.extends = record_.profile;
    if (lies_below(record_.profile, old_.data)) {
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(old_.data, ignored)) {
        if (entry.path().extension() == ".toml")
          write_file_atomic(folder / entry.path().filename(), read_file(entry.path().string()),
                            0600, Durability::quick);
      }
      names.extends = fs::path(record_.profile).filename().string();
    }
    identity_ = names.identity = new_identity(request_.to);
    names.machine_id = machine_id();
    names.folder = old_.data;
    auto made = clone_profile(profile_, names);
    notes_.insert(notes_.end(), made.notes.begin(), made.notes.end());
    if (!record_.settings.empty())
      notes_.push_back("what " + request_.from + " was given by `--set` is not the clone's");
    auto file = request_.to + ".toml";
    std::error_code ignored;
    for (int number = 2; fs::exists(fs::path(folder) / file, ignored); ++number)
      file = request_.to + '-' + std::to_string(number) + ".toml";
    write_file_atomic(folder + '/' + file, made.text);
    own_profile_ = file;
  }

  void copy_tpm(const std::string& folder) const {
    const bool now = request_.tag.empty();
    const auto state = now ? old_.data + "/tpm" : tpm_copy_path(request_.from, request_.tag);
    std::error_code ignored;
    if (!fs::exists(state, ignored)) return;
    make_private_folder(folder + "/tpm");
    for (const auto& entry : fs::directory_iterator(state)) {
      const auto name = entry.path().filename().string();
      if (!entry.is_regular_file(ignored) || name.starts_with('.')) continue;
      // swtpm puts a new file in place of the old one: it is whole at any moment.
      write_file_atomic(folder + "/tpm/" + name, read_file(entry.path().string()));
    }
  }

  void link_disks(const std::string& folder) {
    FrozenPaths bases;
    for (const auto& disk : disks_) {
      if (disk.way == CloneWay::linked)
        bases[disk.name] = new_frozen_path(request_.from, disk.name);
    }
    if (takes_live_disks()) {
      take_live(*live_, disks_, bases, folder, request_, [&] { copy_tpm(folder); });
    } else {
      for (auto& disk : disks_) {
        if (disk.way != CloneWay::linked) continue;
        // It was looked at before the others were copied, which may have taken long.
        require_unused_disk(disk);
        disk.image = qemu_img_.info(disk.path, disk.image.format);
        freeze(qemu_img_, disk, bases.at(disk.name));
      }
    }
    for (const auto& disk : disks_) {
      if (disk.way == CloneWay::copied) continue;
      const bool linked = disk.way == CloneWay::linked;
      const auto base = linked ? bases.at(disk.name) : disk.base;
      // Nobody is to write it by mistake. A QEMU that runs opens it anew as it did first.
      if (linked && !live_) chmod(base.c_str(), 0400);
      make_overlay(qemu_img_, folder + '/' + disk.file, base, linked ? "qcow2" : disk.base_format,
                   disk.image.virtual_size);
    }
    at_step("clone-linked");
  }

  std::string in_new(const std::string& path) const {
    return lies_below(path, old_.data) ? new_.data + path.substr(old_.data.size()) : path;
  }

  void write_record_of(const std::string& folder) const {
    Record record = record_;
    record.name = request_.to;
    record.identity = identity_;
    record.profile = new_.data + '/' + own_profile_;
    record.settings.clear();
    record.auto_ports.clear();
    record.created = timestamp();
    record.sources.clear();
    // Read where it lies now: it has to be a profile that works.
    auto loaded = open_profile(folder + '/' + own_profile_, {}, folder);
    if (has_errors(loaded.diagnostics)) throw ProfileError(std::move(loaded.diagnostics));
    for (const auto& source : loaded.sources) {
      auto path = source->name;
      if (!path.starts_with(builtin_prefix)) path = fs::absolute(path).lexically_normal().string();
      if (lies_below(path, folder)) path = new_.data + path.substr(folder.size());
      record.sources.push_back({path, source->text});
    }
    auto plan = recorded_plan(record_);
    // Of the parent's last start only what tells of disks and hardware holds for the clone.
    plan.name = request_.to;
    plan.paths = new_;
    plan.preparations.clear();
    plan.helpers.clear();
    plan.qemu = {};
    plan.forwards.clear();
    plan.macs.clear();
    plan.serial_log.clear();
    plan.vnc_socket.clear();
    plan.spice_address.clear();
    for (auto& disk : plan.disks) {
      const auto own = std::find_if(disks_.begin(), disks_.end(),
                                    [&](const auto& it) { return it.name == disk.name; });
      disk.path = own == disks_.end() ? in_new(disk.path) : new_.data + '/' + own->file;
    }
    if (plan.nvram) plan.nvram->path = in_new(plan.nvram->path);
    record.plan = plan_to_json(plan);
    write_record_in(folder, record, new_.data);
  }

  Cloned report() const {
    Cloned cloned;
    for (const auto& disk : disks_) {
      if (!disk.nvram) cloned.disks.push_back({disk.name, disk.way, disk.why});
    }
    cloned.profile = new_.data + '/' + own_profile_;
    cloned.notes = notes_;
    return cloned;
  }

  const CloneRequest& request_;
  VmPaths old_, new_;
  Record record_;
  Profile profile_;
  std::optional<LiveRecord> live_;
  std::vector<CloneDisk> disks_;
  std::vector<std::string> notes_;
  std::string identity_, own_profile_;
  bool done_ = false;
  const QemuImg qemu_img_;
};

}  // namespace

Cloned clone_vm(const CloneRequest& request) {
  check_new_name(request.from, request.to);
  if (is_ephemeral(request.from))
    throw StateError("VM " + in_backticks(request.from) +
                     " is one of which nothing is left: there is nothing to clone");
  auto cloned = Cloning(request).run();
  refresh_ssh_config();
  return cloned;
}

}  // namespace qlaunch
