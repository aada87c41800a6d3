// SPDX-License-Identifier: MIT
#include "vm/state/warm_key.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/backing.hpp"
#include "vm/state/suspended.hpp"

#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include <sys/utsname.h>

namespace qlaunch {
namespace {

std::string text_of(const DiskStamp& stamp) {
  return stamp.path + ' ' + std::to_string(stamp.size) + ' ' + std::to_string(stamp.inode) + ' ' +
         std::to_string(stamp.changed) + '\n';
}

/// A disk with all it lies on.
std::string chain(std::string path) {
  constexpr int deepest = 64;
  std::string out;
  for (int depth = 0; depth < deepest; ++depth) {
    out += text_of(stamp_disk(path));
    const auto backing = backing_of(path);
    if (!backing) break;
    path = (std::filesystem::path(path).parent_path() / backing->file).string();
  }
  return out;
}

/// The plan with the same folders for every run.
Plan plan_for_key(const Prepared& prepared) {
  const auto roots = state_roots();
  PlanInput input;
  input.paths = warm_paths(roots.cache);
  input.identity = warm_identity(prepared.regular);
  input.machine_type = prepared.plan.machine_type;
  input.ephemeral_of = vm_paths(roots, prepared.regular).data;
  input.warm = WarmStart{};
  return make_plan(prepared.profile, prepared.facts, input).plan;
}

/// The processor as KVM shows it to a guest; TCG's is QEMU's own.
std::string processor(const Plan& plan) {
  if (!plan.kvm) return "tcg";
  std::string out;
  utsname host{};
  if (uname(&host) == 0) out = host.release;
  // The first of them, which stands for all.
  const auto info = try_read_file("/proc/cpuinfo", std::size_t{64} << 20);
  for (const auto& line : split(info ? info->substr(0, info->find("\n\n")) : "", '\n')) {
    for (const auto* word : {"vendor_id", "model name", "stepping", "microcode", "flags"}) {
      if (line.starts_with(word)) out += '\n' + line;
    }
  }
  return out;
}

std::string word_of(const ReadyWhen& when) {
  return std::to_string(static_cast<int>(when.kind)) + ' ' + when.text + ' ' +
         std::to_string(when.port);
}

void add_disks(const Plan& plan, std::map<std::string, std::string>& parts) {
  for (const auto& disk : plan.disks) {
    if (disk.readonly) parts["disk " + in_backticks(disk.name)] += chain(disk.path);
  }
  for (const auto& each : plan.preparations) {
    if (const auto* nvram = std::get_if<MakeNvram>(&each.what))
      parts["the firmware"] += text_of(stamp_disk(nvram->template_path));
    const auto* made = std::get_if<MakeDisk>(&each.what);
    if (made == nullptr || made->base.empty()) continue;
    for (const auto& disk : plan.disks) {
      if (disk.path == made->path) parts["disk " + in_backticks(disk.name)] += chain(made->base);
    }
  }
}

void add_files_of_arguments(const Plan& plan, std::map<std::string, std::string>& parts) {
  for (const auto& argument : plan.qemu.arguments) {
    const auto& words = argument.words;
    if (words.size() != 2) continue;
    if (words[0] == "-kernel") parts["the kernel"] += text_of(stamp_disk(words[1]));
    if (words[0] == "-initrd") parts["the initrd"] += text_of(stamp_disk(words[1]));
    if (words[0] != "-blockdev") continue;
    const auto json = nlohmann::json::parse(words[1], nullptr, false);
    if (!json.is_object() || json.value("node-name", "") != "firmware") continue;
    parts["the firmware"] += text_of(stamp_disk(json.at("file").value("filename", "")));
  }
}

}  // namespace

WarmKey warm_key(const Prepared& prepared) {
  const auto plan = plan_for_key(prepared);
  std::map<std::string, std::string> parts;
  parts[command_lines_part] = warm_command_lines(plan);
  parts["what it waits for"] = word_of(warm_ready(prepared.profile));
  parts["QEMU"] = prepared.facts.qemu.version + ' ' + text_of(stamp_disk(plan.qemu.program));
  parts["the processor"] = processor(plan);
  add_disks(plan, parts);
  add_files_of_arguments(plan, parts);
  return {parts.begin(), parts.end()};
}

}  // namespace qlaunch
