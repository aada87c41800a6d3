// SPDX-License-Identifier: MIT
#include "host/doctor.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/doctor_parts.hpp"
#include "host/facts.hpp"
#include "host/programs.hpp"
#include "host/spawn.hpp"

#include <algorithm>
#include <functional>
#include <optional>

#include <unistd.h>

namespace qlaunch {

namespace {

using doctor::Findings;

Captured ask_version(const std::string& program) {
  return run_and_capture({program, "--version"}, std::chrono::seconds(10));
}

/// A program's own first line about its version, or its path where it does not say.
std::string version_line(const std::string& program,
                         Captured (*ask)(const std::string&) = ask_version) {
  try {
    const auto answer = ask(program);
    const auto lines = split(answer.out.empty() ? answer.err : answer.out, '\n');
    if (!lines.empty() && !trim(lines[0]).empty()) {
      return printable(trim(lines[0])) + " (" + program + ")";
    }
  } catch (const Error&) {
    // The path alone, then.
  }
  return program;
}

std::optional<QemuFacts> examine_qemu(const StateRoots& roots, Findings& findings) {
  try {
    QemuFacts qemu = qemu_facts("qemu-system-x86_64", roots);
    findings.push_back({"qemu", Level::ok, "QEMU " + qemu.version + " (" + qemu.path + ")", {}});
    return qemu;
  } catch (const Error& error) {
    findings.push_back({"qemu", Level::problem, error.what(), install_command("qemu")});
    return std::nullopt;
  }
}

void examine_displays(const QemuFacts& qemu, Findings& findings) {
  std::vector<std::string> usable;
  for (const auto& display : qemu.displays) {
    if (display != "none") usable.push_back(display);
  }
  const bool windows = qemu.displays.contains("gtk") || qemu.displays.contains("sdl");
  if (windows) {
    findings.push_back({"display", Level::ok, "displays: " + join(usable, ", "), {}});
    return;
  }
  const std::string mend = package_manager() == PackageManager::apt
                               ? "sudo apt install qemu-system-gui"
                               : "install QEMU's user interface modules";
  findings.push_back({"display", Level::note,
                      "QEMU can open no window of its own (displays: " + join(usable, ", ") + ")",
                      mend});
}

void examine_kvm(const std::optional<QemuFacts>& qemu, const StateRoots& roots,
                 Findings& findings) {
  if (!qemu) {
    const bool there = ::access("/dev/kvm", F_OK) == 0;
    findings.push_back(
        {"kvm",
         Level::warning,
         there ? "/dev/kvm is there; without QEMU it cannot be tried" : "/dev/kvm is missing",
         {}});
    return;
  }
  const KvmVerdict verdict = kvm_verdict(*qemu, roots, true);
  if (!verdict.works) {
    findings.push_back({"kvm", Level::warning,
                        verdict.problem + "; guests are emulated, which is slow", verdict.help});
    return;
  }
  findings.push_back({"kvm", Level::ok, "KVM works: a test guest ran in it", {}});
  if (kvm_nested()) {
    findings.push_back({"nested", Level::ok, "guests can use KVM themselves", {}});
    return;
  }
  const std::string module = cpu_vendor() == HostFacts::CpuVendor::amd ? "kvm_amd" : "kvm_intel";
  findings.push_back({"nested", Level::note, "guests cannot use KVM themselves",
                      "echo 'options " + module + " nested=1' | sudo tee /etc/modprobe.d/" +
                          module + ".conf, then reload " + module + " or boot again"});
}

void examine_program(const std::string& topic, const std::string& path, const std::string& need,
                     Level missing, Findings& findings) {
  if (!path.empty()) {
    findings.push_back({topic, Level::ok, version_line(path), {}});
  } else {
    findings.push_back({topic, missing, topic + " is not found; " + need, install_command(topic)});
  }
}

void examine_virtiofsd(const std::string& qemu, const StateRoots& roots, Findings& findings) {
  const VirtiofsdFacts found = find_virtiofsd(qemu, roots);
  if (found.path.empty()) {
    findings.push_back({"virtiofsd", Level::note,
                        "virtiofsd is not found; shares with driver = \"virtiofs\" need it",
                        install_command("virtiofsd")});
    return;
  }
  std::string text = version_line(
      found.path, [](const std::string& program) { return ask_virtiofsd(program, "--version"); });
  if (text.find("setgroups") != std::string::npos) text = found.path;
  if (found.kind == VirtiofsdKind::c) text += ", the older one that came with QEMU";
  findings.push_back({"virtiofsd", Level::ok, text, {}});
}

void examine_firmware(const QemuFacts& qemu, Findings& findings) {
  std::vector<std::string> notes;
  const auto descriptors = firmware_descriptors(firmware_folders(qemu.firmware_dirs), &notes);
  // The same choice that a plan makes: keys only where they are asked for, and the plainest.
  const auto best = [&](bool secure) -> const FirmwareDescriptor* {
    const FirmwareDescriptor* chosen = nullptr;
    const auto rank = [](const FirmwareDescriptor& descriptor) {
      return 2 * descriptor.features.count("requires-smm") +
             descriptor.features.count("secure-boot");
    };
    for (const auto& descriptor : descriptors) {
      const bool fits =
          std::any_of(descriptor.targets.begin(), descriptor.targets.end(),
                      [](const auto& target) { return target.architecture == "x86_64"; });
      const bool enrolled = descriptor.features.contains("enrolled-keys");
      if (!descriptor.uefi || !fits || descriptor.mode != "split" ||
          ::access(descriptor.code.c_str(), R_OK) != 0 || secure != enrolled ||
          (secure && !descriptor.features.contains("secure-boot"))) {
        continue;
      }
      if (chosen == nullptr || (!secure && rank(descriptor) < rank(*chosen))) chosen = &descriptor;
    }
    return chosen;
  };
  findings.push_back({"bios", Level::ok, "SeaBIOS comes with QEMU", {}});
  const auto report = [&](const std::string& topic, const FirmwareDescriptor* found) {
    if (found != nullptr) {
      findings.push_back({topic, Level::ok, found->code + " (by " + found->file + ")", {}});
    } else {
      findings.push_back({topic, Level::note,
                          "no firmware for machine.firmware = \"" + topic + "\" is found",
                          install_command("ovmf")});
    }
  };
  report("uefi", best(false));
  report("uefi-secure", best(true));
  for (const auto& note : notes) {
    findings.push_back({"firmware", Level::warning, note, "mend or remove that file"});
  }
}

}  // namespace

const char* level_name(Level level) {
  switch (level) {
    case Level::ok:
      return "ok";
    case Level::note:
      return "note";
    case Level::warning:
      return "warning";
    case Level::problem:
      break;
  }
  return "problem";
}

std::vector<Finding> examine_host(const StateRoots& roots) {
  using namespace doctor;
  Findings findings;
  // One look that fails must not keep the others from being taken.
  const auto guarded = [&](const char* topic, const std::function<void()>& examine) {
    try {
      examine();
    } catch (const Error& error) {
      const auto& help = error.diagnostics().back().help;
      findings.push_back({topic, Level::problem, error.what(), help.empty() ? "" : help.front()});
    }
  };
  std::optional<QemuFacts> qemu;
  guarded("qemu", [&] { qemu = examine_qemu(roots, findings); });
  const std::string binary = qemu ? qemu->path : "/usr/bin/qemu-system-x86_64";
  guarded("kvm", [&] { examine_kvm(qemu, roots, findings); });
  if (qemu) guarded("display", [&] { examine_displays(*qemu, findings); });
  guarded("qemu-img", [&] {
    examine_program("qemu-img", find_qemu_img(binary), "disks cannot be made without it",
                    Level::problem, findings);
  });
  guarded("virtiofsd", [&] { examine_virtiofsd(binary, roots, findings); });
  guarded("swtpm", [&] {
    examine_program("swtpm", find_installed("swtpm"), "machine.tpm needs it", Level::note,
                    findings);
  });
  guarded("firmware", [&] { examine_firmware(qemu.value_or(QemuFacts{}), findings); });
  guarded("namespaces", [&] { examine_namespaces(findings); });
  guarded("bridge", [&] { examine_bridge(binary, findings); });
  guarded("vhost-net", [&] {
    examine_device("vhost-net", "/dev/vhost-net", "bridged networks are slower without it",
                   "vhost_net", findings);
  });
  guarded("vhost-vsock", [&] {
    examine_device("vhost-vsock", "/dev/vhost-vsock", "guests cannot be reached by vsock",
                   "vhost_vsock", findings);
  });
  guarded("memory", [&] { examine_memory(findings); });
  guarded("disk", [&] { examine_disk(roots, findings); });
  guarded("runtime", [&] { examine_runtime(roots, findings); });
  return findings;
}

}  // namespace qlaunch
