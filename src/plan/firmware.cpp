// SPDX-License-Identifier: MIT
#include "plan/firmware.hpp"

#include "core/packages.hpp"
#include "core/quote.hpp"
#include "plan/bootspec.hpp"
#include "plan/warm.hpp"

#include <algorithm>

#include <fnmatch.h>

namespace qlaunch::planner {

namespace {

bool fits_machine(const FirmwareDescriptor& descriptor, const std::string& machine) {
  return std::any_of(descriptor.targets.begin(), descriptor.targets.end(), [&](const auto& target) {
    return target.architecture == "x86_64" &&
           std::any_of(target.machines.begin(), target.machines.end(), [&](const auto& glob) {
             return fnmatch(glob.c_str(), machine.c_str(), 0) == 0;
           });
  });
}

/// How unwelcome a descriptor is; below zero: it does not do.
int rank(const Draft& draft, const FirmwareDescriptor& descriptor) {
  const auto has = [&](const char* feature) { return descriptor.features.contains(feature); };
  const bool split = descriptor.mode.empty() || descriptor.mode == "split";
  if (!descriptor.uefi || !split || descriptor.vars_template.empty() ||
      !fits_machine(descriptor, draft.plan.machine_type))
    return -1;
  if (draft.file(descriptor.code).kind != FileFact::Kind::file ||
      draft.file(descriptor.vars_template).kind != FileFact::Kind::file)
    return -1;
  if (draft.profile.machine.firmware == Firmware::uefi_secure)
    return has("secure-boot") && has("enrolled-keys") ? 0 : -1;
  // With keys enrolled it would refuse what is not signed: that has to be asked for.
  if (has("enrolled-keys")) return -1;
  return (has("requires-smm") ? 2 : 0) + (has("secure-boot") ? 1 : 0);
}

const FirmwareDescriptor* choose(const Draft& draft) {
  const FirmwareDescriptor* best = nullptr;
  int best_rank = 0;
  for (const auto& descriptor : draft.facts.firmware) {
    const int its_rank = rank(draft, descriptor);
    if (its_rank < 0 || (best != nullptr && its_rank >= best_rank)) continue;
    best = &descriptor;
    best_rank = its_rank;
  }
  return best;
}

void no_firmware(Draft& draft) {
  const bool secure = draft.profile.machine.firmware == Firmware::uefi_secure;
  auto& problem = draft.error("machine.firmware",
                              "no UEFI firmware " + std::string(secure ? "with Secure Boot " : "") +
                                  "for machine type " + in_backticks(draft.plan.machine_type) +
                                  " is installed");
  if (draft.board == Board::microvm || (secure && draft.board == Board::pc)) {
    problem.help.emplace_back("use type = \"q35\"");
  } else {
    problem.help.push_back(install_help("ovmf"));
    problem.help.emplace_back(
        "firmware is found by its descriptors in /usr/share/qemu/firmware, /etc/qemu/firmware and "
        "$XDG_CONFIG_HOME/qemu/firmware");
  }
}

void add_flash(Draft& draft, const FirmwareDescriptor& firmware) {
  const auto shown = "found by the descriptor " + firmware.file;
  const auto format = [](const std::string& given) { return given.empty() ? "raw" : given; };
  draft.json_option("-blockdev",
                    {{"driver", format(firmware.code_format)},
                     {"node-name", "firmware"},
                     {"read-only", true},
                     {"file",
                      {{"driver", "file"},
                       {"node-name", "firmware-file"},
                       {"filename", firmware.code},
                       {"read-only", true},
                       {"auto-read-only", false}}}},
                    draft.because("machine.firmware", "the firmware's code, " + shown));
  const auto path = draft.plan.paths.data + "/nvram.qcow2";
  draft.need_folder(draft.plan.paths.data, "this VM's lasting files");
  MakeNvram nvram{path, firmware.vars_template, format(firmware.vars_format)};
  // A run of which nothing is left boots what the VM itself would boot.
  const auto kept = draft.input.ephemeral_of + "/nvram.qcow2";
  if (!draft.input.ephemeral_of.empty() && draft.file(kept).kind == FileFact::Kind::file)
    nvram = {path, kept, "qcow2"};
  const auto frozen = draft.input.warm ? draft.input.warm->folder : std::string();
  if (frozen.empty()) {
    draft.prepare({std::move(nvram),
                   draft.because("machine.firmware",
                                 "UEFI's variables as qcow2: raw ones block snapshots (\"Device is "
                                 "writable but does not support snapshots\")")});
  } else {
    draft.prepare({CopyFile{path, frozen_nvram(frozen)},
                   draft.because("start.warm", "UEFI's variables as they were saved")});
  }
  draft.json_option("-blockdev",
                    {{"driver", "qcow2"},
                     {"node-name", "nvram"},
                     {"read-only", false},
                     {"file",
                      {{"driver", "file"},
                       {"node-name", "nvram-file"},
                       {"filename", path},
                       {"read-only", false},
                       {"auto-read-only", false}}}},
                    draft.because("machine.firmware", "UEFI's variables, this VM's own"));
  draft.plan.nvram = PlannedDisk{"nvram", "nvram", path, DiskFormat::qcow2, false};
  draft.machine_property("pflash0=firmware,pflash1=nvram",
                         "UEFI and its variables are flash chips");
  if (!firmware.features.contains("requires-smm")) return;
  draft.machine_property("smm=on", "this firmware guards its variables by system management mode");
  draft.option({"-global", "driver=cfi.pflash01,property=secure,value=on"},
               draft.because("machine.firmware",
                             "only code in system management mode may write the variables"));
}

void add_kernel(Draft& draft) {
  const auto& given = draft.profile.kernel;
  Bootspec kernel{given.image, given.initrd, given.cmdline};
  std::string origin = "kernel.image";
  if (!given.bootspec.empty()) {
    origin = "kernel.bootspec";
    const bool folder = draft.file(given.bootspec).kind == FileFact::Kind::folder;
    const auto path = folder ? given.bootspec + "/boot.json" : given.bootspec;
    const auto text = draft.facts.read ? draft.facts.read(path) : std::nullopt;
    const auto spec = text ? parse_bootspec(*text) : std::nullopt;
    if (!spec) {
      draft
          .error(origin, in_backticks(path) +
                             (text ? " is not a bootspec of version 1" : " cannot be read"))
          .help.emplace_back("`nixos-rebuild build` makes `result`, which holds a boot.json");
      return;
    }
    kernel = *spec;
    if (!spec->secrets.empty())
      draft
          .warning(origin,
                   "this system adds secrets to its initrd when it is installed, which a "
                   "direct start does not")
          .help.emplace_back("leave `boot.initrd.secrets` out of a system that is started so");
  }
  if (kernel.kernel.empty()) return;
  const auto add = [&](const char* word, const std::string& path, const std::string& key,
                       const std::string& what) {
    const auto fact = draft.file(path);
    if (fact.kind == FileFact::Kind::missing) {
      draft.error(key, what + ' ' + in_backticks(path) + " does not exist");
    } else if (fact.kind == FileFact::Kind::folder) {
      draft.error(key, what + ' ' + in_backticks(path) + " is a folder");
    } else if (!fact.readable) {
      draft.error(key, what + ' ' + in_backticks(path) + " cannot be read");
    }
    draft.option({word, path}, draft.because(key, "started directly, without a boot loader"));
  };
  add("-kernel", kernel.kernel, origin, "kernel");
  if (!kernel.initrd.empty())
    add("-initrd", kernel.initrd, given.bootspec.empty() ? "kernel.initrd" : origin, "initrd");
  if (!kernel.cmdline.empty())
    draft.option({"-append", kernel.cmdline},
                 draft.because("kernel.cmdline", "the kernel's command line, one word to QEMU"));
}

}  // namespace

void add_firmware(Draft& draft) {
  if (draft.profile.machine.firmware != Firmware::bios && !draft.plan.machine_type.empty()) {
    if (const auto* firmware = choose(draft)) {
      add_flash(draft, *firmware);
    } else {
      no_firmware(draft);
    }
  }
  add_kernel(draft);
}

}  // namespace qlaunch::planner
