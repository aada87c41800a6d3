// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "plan/audio.hpp"
#include "plan/channels.hpp"
#include "plan/cpu.hpp"
#include "plan/devices.hpp"
#include "plan/disks.hpp"
#include "plan/display.hpp"
#include "plan/draft.hpp"
#include "plan/firmware.hpp"
#include "plan/guest_identity.hpp"
#include "plan/machine.hpp"
#include "plan/memory.hpp"
#include "plan/monitor.hpp"
#include "plan/network.hpp"
#include "plan/plan.hpp"
#include "plan/process.hpp"
#include "plan/seed/seed.hpp"
#include "plan/shares.hpp"
#include "plan/tpm.hpp"

namespace qlaunch {

namespace {

/// An option and its values are one argument.
void add_extra(planner::Draft& draft) {
  const auto& words = draft.profile.qemu.args;
  for (std::size_t index = 0; index < words.size();) {
    const auto key = planner::key_of("qemu.args", index);
    std::vector<std::string> group{words[index++]};
    while (index < words.size() && !words[index].starts_with('-')) group.push_back(words[index++]);
    auto reason = draft.because(key, "the profile's own, last so that it has the last word");
    if (!reason.where && draft.profile.is_set("qemu.args"))
      reason.where = draft.profile.where("qemu.args");
    draft.option(std::move(group), std::move(reason));
  }
}

}  // namespace

Planned make_plan(const Profile& profile, const HostFacts& facts, const PlanInput& input) {
  planner::Draft draft(profile, facts, input);
  auto& plan = draft.plan;
  plan.name = profile.name;
  plan.paths = input.paths;
  plan.guest = {profile.guest.user, profile.guest.hostname, profile.guest.forward_agent};
  plan.ready = profile.ready;
  plan.shutdown = profile.shutdown;
  plan.qemu.program = facts.qemu.path;

  planner::add_process(draft);
  planner::add_machine(draft);
  planner::add_cpu(draft);
  planner::add_memory(draft);
  planner::add_clock(draft);
  planner::add_guest_identity(draft);
  planner::add_firmware(draft);
  planner::add_monitor(draft);
  planner::add_channels(draft);
  planner::add_devices(draft);
  planner::add_tpm(draft);
  planner::add_disks(draft);
  planner::add_network(draft);
  planner::add_shares(draft);
  planner::add_seed(draft);
  planner::add_display(draft);
  planner::add_audio(draft);
  add_extra(draft);
  return {std::move(draft.plan), std::move(draft.diagnostics)};
}

}  // namespace qlaunch
