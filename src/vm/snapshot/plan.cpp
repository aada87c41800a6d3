// SPDX-License-Identifier: MIT
#include "vm/snapshot/plan.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace qlaunch {
namespace {

constexpr std::string_view hold = "-S";

/// What the guest's machine is not made of.
constexpr std::array<std::string_view, 13> host_side{
    "-S",   "-netdev", "-chardev", "-mon",      "-display", "-vnc",    "-spice",
    "-msg", "-name",   "-sandbox", "-audiodev", "-D",       "-pidfile"};

std::vector<std::vector<std::string>> guest_side(const Plan& plan) {
  std::vector<std::vector<std::string>> out;
  for (const auto& argument : plan.qemu.arguments) {
    if (argument.words.empty()) continue;
    const bool host =
        std::find(host_side.begin(), host_side.end(), argument.words.front()) != host_side.end();
    // A virtiofs device is in no state that is saved without it, and each state is saved so where
    // QEMU cannot save it.
    const bool share = argument.words.front() == "-device" && argument.words.size() == 2 &&
                       argument.words.back().find("vhost-user-fs") != std::string::npos;
    if (!host && !share) out.push_back(argument.words);
  }
  return out;
}

}  // namespace

bool same_machine(const Plan& one, const Plan& other) {
  return one.qemu.program == other.qemu.program && one.kvm == other.kvm &&
         guest_side(one) == guest_side(other);
}

Plan plan_to_keep(const Plan& plan) {
  Plan out = plan;
  std::erase_if(out.qemu.arguments, [](const Argument& argument) {
    return argument.words.size() == 1 && argument.words.front() == hold;
  });
  return out;
}

Plan plan_to_load_into(Plan plan) {
  plan = plan_to_keep(plan);
  plan.qemu.arguments.push_back(
      {{std::string(hold)}, {{}, "the guest goes on where the snapshot was made"}});
  return plan;
}

void set_host_port(Plan& plan, std::size_t index, std::uint16_t port) {
  auto& planned = plan.forwards.at(index);
  auto& forward = planned.forward;
  const auto text = [&](std::uint16_t number) {
    return std::string(forward.protocol == Protocol::tcp ? "\"tcp:" : "\"udp:") +
           forward.host_address + ':' + std::to_string(number) +
           "-:" + std::to_string(forward.guest_port) + '"';
  };
  for (auto& argument : plan.qemu.arguments) {
    if (argument.words.size() < 2 || argument.words[0] != "-netdev" ||
        argument.words[1].find("\"id\":\"" + planned.network + '"') == std::string::npos)
      continue;
    auto& word = argument.words[1];
    // QEMU may have been left to choose one.
    for (const std::uint16_t old : {forward.host_port, std::uint16_t{0}}) {
      const auto at = word.find(text(old));
      if (at == std::string::npos) continue;
      word.replace(at, text(old).size(), text(port));
      break;
    }
  }
  forward.host_port = port;
}

std::vector<PlannedDisk> written_disks(const Plan& plan) {
  std::vector<PlannedDisk> out;
  for (const auto& disk : plan.disks) {
    if (!disk.readonly && !disk.path.empty()) out.push_back(disk);
  }
  if (plan.nvram) out.push_back(*plan.nvram);
  return out;
}

std::string tpm_folder(const Plan& plan) {
  const bool has = std::any_of(plan.helpers.begin(), plan.helpers.end(),
                               [](const Helper& helper) { return helper.name == "swtpm"; });
  return has ? plan.paths.data + "/tpm" : std::string();
}

}  // namespace qlaunch
