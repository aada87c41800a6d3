// SPDX-License-Identifier: MIT
#include "cli/disk.hpp"

#include "cli/disk_text.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "vm/disk/disk_change.hpp"

#include <filesystem>

namespace qlaunch {
namespace {

std::string absolute(const std::string& path) {
  return std::filesystem::absolute(path).lexically_normal().string();
}

/// Options and words of another action are a mistake, not to be passed over.
void refuse(bool given, const std::string& what, const DiskOptions& options) {
  if (given) throw UsageError("`disk " + options.action + "` takes no " + what);
}

int create(const DiskOptions& options, Terminal& terminal) {
  refuse(options.repair, "`--repair`", options);
  NewDisk disk;
  disk.path = absolute(options.disk);
  if (!options.size.empty()) disk.size = parse_size(options.size);
  if (!options.base.empty()) disk.base = absolute(options.base);
  if (!options.format.empty()) disk.format = options.format;
  if (disk.format != "qcow2" && disk.format != "raw")
    throw UsageError(in_backticks(disk.format) + " is no format for a new disk")
        .help("it is qcow2 or raw");
  const auto made = create_disk(disk);
  if (options.json) {
    terminal.print(disks_json({disk_facts(find_disk(disk.path), ImageNeeds())}));
  } else {
    terminal.result(
        printable(made.path) + ": " + made.format + ", " + format_size(made.virtual_size) +
        (made.backing.empty() ? "" : ", an overlay on " + printable(made.backing)) + '\n');
  }
  return 0;
}

int info(const DiskOptions& options, Terminal& terminal) {
  const auto targets = find_disks(options.disk);
  const ImageNeeds needs;
  std::vector<DiskFacts> all;
  all.reserve(targets.size());
  for (const auto& target : targets) all.push_back(disk_facts(target, needs));
  // A file that is not there is a failure; a VM may well have one that is yet to be made.
  if (targets.size() == 1 && targets.front().vm.empty() && all.front().chain.empty()) {
    const auto& problem = all.front().problem;
    throw Error(problem.starts_with("cannot ")
                    ? problem
                    : "cannot read " + in_backticks(targets.front().path) + ": " + problem);
  }
  if (options.json) {
    terminal.print(disks_json(all));
    return 0;
  }
  if (all.empty()) terminal.say("no disks\n");
  for (std::size_t at = 0; at < all.size(); ++at) {
    if (at > 0) terminal.print("\n");
    terminal.print(disk_text(all[at], terminal.table_width()));
  }
  return 0;
}

int resize(const DiskOptions& options, Terminal& terminal) {
  if (options.size.empty())
    throw UsageError("`disk resize` needs a SIZE")
        .help("as in `qlaunch disk resize " + shell_quote(options.disk) + " 40GiB`, or +10GiB");
  const auto size = parse_new_size(options.size);
  const auto target = find_disk(options.disk);
  const auto done = resize_disk(target, size);
  if (options.json) {
    terminal.print(disks_json({disk_facts(target, ImageNeeds())}));
    return 0;
  }
  const auto name = printable(target.name());
  if (done.before == done.after) {
    terminal.result(name + " has " + format_size(done.after) + " already\n");
    return 0;
  }
  terminal.result(name + " has " + format_size(done.after) + " now (" + format_size(done.before) +
                  " before)\n");
  terminal.say(
      "in the guest the partition and its filesystem have to grow, too:\n"
      "    Linux    growpart /dev/vda 1, then resize2fs /dev/vda1 or xfs_growfs /\n"
      "    Windows  Disk Management, Extend Volume\n");
  if (done.running)
    terminal.say("on the bus virtio or scsi it sees the new size at once, else when it restarts\n");
  return 0;
}

int check(const DiskOptions& options, Terminal& terminal) {
  const auto targets = find_disks(options.disk);
  const InterruptGuard guard;
  Progress progress(terminal);
  ImageWork work;
  work.timeout = std::chrono::hours(24);
  work.interrupted = InterruptGuard::interrupted;
  std::vector<CheckedDisk> all;
  for (const auto& target : targets) {
    // A VM that was never started has none yet.
    if (targets.size() > 1 && file_fact(target.path).kind == FileFact::Kind::missing) continue;
    progress.waiting("the check of " + printable(target.name()));
    try {
      all.push_back({target, check_disk(target, options.repair, work)});
    } catch (const Error&) {
      if (InterruptGuard::interrupted()) return InterruptGuard::exit_code();
      throw;
    }
    progress.done();
    if (!options.json) terminal.print(check_text(all.back(), options.repair));
  }
  if (options.json) terminal.print(checks_json(all));
  bool whole = true, leaks = false;
  for (const auto& each : all) {
    whole = whole && each.check.whole();
    leaks = leaks || each.check.leaks > 0;
  }
  if ((!whole || leaks) && !options.repair && !options.json)
    terminal.say(std::string("`qlaunch disk check --repair ") + shell_quote(options.disk) +
                 (whole ? "` frees the leaked space\n"
                        : "` mends what can be mended; a copy of the file first is wise\n"));
  return whole ? 0 : 1;
}

}  // namespace

void add_disk(CLI::App& app, DiskOptions& options) {
  add_word(app, options.action, "ACTION", "create, info, resize or check");
  add_word(app, options.disk, "DISK", "VM:DISK, VM, or a file");
  add_word(app, options.size, "SIZE", "as in 20GiB; for resize also +5GiB", false);
  add_text(app, options.base, "--base", "FILE",
           "create an overlay on this file, which stays as it is");
  add_text(app, options.format, "--format", "FORMAT",
           "of the file to create: qcow2 (default) or raw");
  add_flag(app, options.repair, "--repair", "free leaked space and mend errors");
  add_json(app, options.json, "print an array of objects; the keys are below");
}

int disk(const DiskOptions& options, Terminal& terminal) {
  const auto& action = options.action;
  if (action == "create") return create(options, terminal);
  if (action == "info" || action == "resize" || action == "check") {
    refuse(!options.base.empty(), "`--base`", options);
    refuse(!options.format.empty(), "`--format`", options);
    refuse(options.repair && action != "check", "`--repair`", options);
    refuse(!options.size.empty() && action != "resize", "SIZE", options);
    if (action == "info") return info(options, terminal);
    return action == "resize" ? resize(options, terminal) : check(options, terminal);
  }
  UsageError error("`disk` has no action " + in_backticks(action));
  if (const auto near = nearest(action, {"create", "info", "resize", "check"}))
    error.help("did you mean `qlaunch disk " + *near + "`?");
  throw std::move(error).help("its actions are create, info, resize and check");
}

}  // namespace qlaunch
