// SPDX-License-Identifier: MIT
#include "plan/cpu.hpp"

#include "core/quote.hpp"
#include "core/suggest.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace qlaunch::planner {

namespace {

/// The model QEMU gets: `host` exists only where KVM carries the guest.
std::string choose_model(Draft& draft) {
  const auto& wanted = draft.profile.cpu.model;
  const bool tcg = !draft.plan.kvm;
  if (tcg && wanted == "host") {
    if (draft.profile.is_set("cpu.model")) {
      draft.warning("cpu.model", "an emulated CPU cannot be `host`: `max` is used instead")
          .help.emplace_back("`max` has every feature that QEMU can emulate");
    }
    return "max";
  }
  const auto& known = draft.facts.qemu.cpu_models;
  if (!known.empty() && !known.contains(wanted)) {
    auto& problem = draft.error("cpu.model", "unknown CPU model " + in_backticks(wanted));
    if (const auto near = nearest(wanted, {known.begin(), known.end()})) {
      problem.help.push_back("did you mean " + in_backticks(*near) + "?");
    } else {
      problem.help.push_back("see `" + shell_quote(draft.facts.qemu.path) + " -cpu help`");
    }
  }
  return wanted;
}

/// Whether a guest on this emulated model uses AMD's SVM: Linux does where the vendor is AMD.
bool emulates_svm(const std::string& model) {
  constexpr std::array amd{"max",     "base",   "qemu64", "EPYC",
                           "Opteron", "phenom", "athlon", "Dhyana"};
  return std::any_of(amd.begin(), amd.end(),
                     [&](const char* prefix) { return model.starts_with(prefix); });
}

/// "svm" or "vmx"; nothing after an error.
std::optional<std::string> choose_nested(Draft& draft, const std::string& model) {
  if (!draft.plan.kvm) {
    if (emulates_svm(model)) return "svm";
    draft
        .error("cpu.nested",
               "nested virtualization needs a CPU model that can: the emulator has "
               "AMD's SVM only, and " +
                   in_backticks(model) + " is not AMD's")
        .help.emplace_back("use model = \"max\" or \"EPYC\"");
    return std::nullopt;
  }
  const auto vendor = draft.facts.cpu_vendor;
  if (vendor == HostFacts::CpuVendor::other) {
    draft.error("cpu.nested",
                "nested virtualization is known for Intel's and AMD's CPUs only, and "
                "this host has neither");
    return std::nullopt;
  }
  const bool intel = vendor == HostFacts::CpuVendor::intel;
  if (!draft.facts.kvm_nested) {
    const std::string module = intel ? "kvm_intel" : "kvm_amd";
    draft.error("cpu.nested", "this host does not allow nested virtualization")
        .help.push_back("with all VMs stopped: `sudo modprobe -r " + module + " && sudo modprobe " +
                        module + " nested=1`; to keep it: `options " + module +
                        " nested=1` in /etc/modprobe.d/kvm.conf");
    return std::nullopt;
  }
  return intel ? "vmx" : "svm";
}

std::string feature_name(const std::string& feature) {
  const auto start = feature.find_first_not_of("+-");
  return start == std::string::npos ? std::string{}
                                    : feature.substr(start, feature.find('=') - start);
}

void add_model(Draft& draft) {
  const auto& cpu = draft.profile.cpu;
  const auto model = choose_model(draft);
  std::string text = model;
  std::string rule = model == cpu.model ? "the processor that the guest sees"
                                        : "stands in for `host`, which only KVM has";
  bool nested_given = false;
  const auto nested = cpu.nested ? choose_nested(draft, model) : std::nullopt;
  for (std::size_t index = 0; index < cpu.features.size(); ++index) {
    const auto& feature = cpu.features[index];
    const auto key = key_of("cpu.features", index);
    if (feature.find(',') != std::string::npos || feature_name(feature).empty()) {
      draft
          .error(key,
                 "a CPU feature is one name with + or - in front, not " + in_backticks(feature))
          .help.emplace_back("-cpu takes no escaped comma; write one string for each feature");
      continue;
    }
    if (nested && feature_name(feature) == *nested) {
      nested_given = true;
      if (feature.front() == '-') {
        draft.error(key, "nested virtualization needs a CPU that can, and " +
                             in_backticks(feature) + " takes it away");
      }
    }
    text += ',' + feature;
  }
  if (nested && !nested_given) {
    text += ",+" + *nested;
    rule += "; +" + *nested + " is this " + (draft.plan.kvm ? "host" : "emulator") +
            "'s word for nested virtualization";
  }
  if (cpu.hide_kvm) {
    text += ",kvm=off";
    rule += "; kvm=off hides KVM's signature from the guest";
  }
  draft.option({"-cpu", text}, draft.because("cpu.model", rule));
}

void add_topology(Draft& draft) {
  const auto& cpu = draft.profile.cpu;
  const std::int64_t threads = cpu.threads.value_or(1);
  std::int64_t sockets = cpu.sockets.value_or(1);
  const bool counted =
      draft.profile.is_set("cpu.count") || !(cpu.sockets || cpu.cores || cpu.threads);
  std::int64_t cores = cpu.cores.value_or(1);
  std::int64_t count = sockets * cores * threads;
  if (counted) {
    count = cpu.count;
    // What the profile leaves open takes what is left: cores first, as guests like it.
    if (!cpu.cores) {
      cores = std::max<std::int64_t>(1, count / (sockets * threads));
    } else if (!cpu.sockets) {
      sockets = std::max<std::int64_t>(1, count / (cores * threads));
    }
    if (sockets * cores * threads != count) {
      draft
          .error("cpu.count", "count = " + std::to_string(count) +
                                  " is not sockets x cores x threads (" + std::to_string(sockets) +
                                  " x " + std::to_string(cores) + " x " + std::to_string(threads) +
                                  ")")
          .help.emplace_back("leave `count` out, or give numbers whose product it is");
    }
  }
  draft.plan.cpus = count;
  if (count > draft.facts.cpus) {
    draft.warning(counted ? "cpu.count" : "cpu", "the guest gets " + std::to_string(count) +
                                                     " CPUs and this host has " +
                                                     std::to_string(draft.facts.cpus));
  }
  draft.option(
      {"-smp", "cpus=" + std::to_string(count) + ",sockets=" + std::to_string(sockets) +
                   ",cores=" + std::to_string(cores) + ",threads=" + std::to_string(threads)},
      draft.because("cpu.count",
                    "written out: QEMU's own split depends on the machine's "
                    "version"));
}

}  // namespace

void add_cpu(Draft& draft) {
  add_model(draft);
  add_topology(draft);
}

}  // namespace qlaunch::planner
