// SPDX-License-Identifier: MIT
#include "cli/facts.hpp"

#include "cli/harmless.hpp"
#include "cli/table.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "plan/share_mount.hpp"
#include "vm/addresses.hpp"
#include "vm/auto_ports.hpp"
#include "vm/catalog.hpp"
#include "vm/diff.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>

namespace qlaunch {
namespace {

/// Nobody waits longer for a guest only to see what is known of it.
constexpr auto agent_patience = std::chrono::milliseconds(300);

/// The profile read again from the texts of its last start; what it says now is another matter.
std::optional<Profile> recorded_profile(const Record& record) {
  try {
    return load_recorded(record).profile;
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// The last few thousand bytes; logs may be large.
std::string tail_of_file(const std::string& path) {
  constexpr std::streamoff enough = 8192;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  file.seekg(std::max<std::streamoff>(file.tellg() - std::streampos(enough), 0));
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string host_and_port(const std::string& address, std::uint16_t port) {
  const bool colons = address.find(':') != std::string::npos;
  return (colons ? '[' + address + ']' : address) + ':' + std::to_string(port);
}

}  // namespace

const Plan* VmFacts::plan() const {
  if (status.live) return &status.live->plan;
  return last_plan ? &*last_plan : nullptr;
}

const std::vector<PlannedForward>& VmFacts::forwards() const {
  return all_forwards;
}

const Forward* VmFacts::ssh() const {
  const auto& all = forwards();
  const auto found = std::find_if(all.begin(), all.end(), [](const auto& planned) {
    return planned.forward.protocol == Protocol::tcp && planned.forward.guest_port == 22;
  });
  return found == all.end() ? nullptr : &found->forward;
}

namespace {

/// Those of the profile and of commands, and those that appeared by themselves.
void look_at_forwards(VmFacts& facts) {
  if (!facts.status.live) return;
  const auto& live = *facts.status.live;
  facts.all_forwards = live.forwards;
  if (!live.plan.auto_forward) return;
  facts.auto_ports = read_auto_ports(live);
  for (const auto& port : facts.auto_ports->ports) {
    if (port.state == AutoPort::State::there)
      facts.all_forwards.push_back(planned_forward(port, live.plan.auto_forward->network));
  }
}

/// What the agent has told its keeper; asked here only where it has just come and the keeper has
/// not heard of it yet.
void look_for_addresses(VmFacts& facts) {
  if (!facts.status.live) return;
  const auto& live = *facts.status.live;
  auto told = read_addresses(live);
  if (!told && facts.status.agent_open && facts.status.state == VmState::running)
    told = ask_addresses(live, agent_patience);
  if (told) facts.addresses = std::move(*told);
  if (!facts.profile) return;
  const bool beside = std::any_of(
      facts.profile->networks.begin(), facts.profile->networks.end(), [](const auto& network) {
        return network.mode == NetworkMode::bridge || network.mode == NetworkMode::tap;
      });
  if (!beside) return;
  for (auto& fact : addresses_on_bridges(live.plan.macs)) {
    const bool known = std::any_of(facts.addresses.all.begin(), facts.addresses.all.end(),
                                   [&](const auto& each) { return each.address == fact.address; });
    if (!known) facts.addresses.all.push_back(std::move(fact));
  }
}

VmFacts with_records(VmStatus status, bool whole) {
  VmFacts facts;
  const auto name = status.name;
  facts.status = std::move(status);
  facts.record = facts.runs() ? std::move(facts.status.record) : read_record(name);
  if (!facts.runs()) {
    facts.end = read_end(name);
    if (facts.record) facts.last_plan = recorded_plan(*facts.record);
    if (facts.status.state == VmState::suspended) facts.suspended = read_suspended(name);
  }
  look_at_forwards(facts);
  if (whole && facts.record) facts.profile = recorded_profile(*facts.record);
  if (whole) look_for_addresses(facts);
  return facts;
}

}  // namespace

VmFacts gather_vm(const std::string& name, bool whole) {
  return with_records(look(name), whole);
}

VmFacts started_facts(const LiveRecord& live) {
  VmFacts facts;
  facts.status.name = live.name;
  if (!alive(live.qemu)) {
    facts.end = read_end(live.name);
    return facts;
  }
  facts.status.live = live;
  facts.status.state = VmState::running;
  facts.status.accelerator = live.plan.kvm ? "kvm" : "tcg";
  look_at_forwards(facts);
  return facts;
}

std::vector<VmFacts> gather_vms(bool whole, const std::function<void(const Error&)>& problem) {
  const auto names = known_vms();
  const auto left_out = [&](const std::string& name, const Error& error) {
    auto diagnostics = error.diagnostics();
    auto& message = diagnostics.front().message;
    message = "VM " + in_backticks(name) + " is left out: " + message;
    problem(Error(std::move(diagnostics), error.code()));
  };
  std::vector<VmFacts> out;
  out.reserve(names.size());
  for (auto& status : look_all(names, left_out)) {
    if (!status) continue;
    const auto name = status->name;
    try {
      out.push_back(with_records(std::move(*status), whole));
    } catch (const Error& error) {
      left_out(name, error);
    }
  }
  return out;
}

std::string arrow_text(const Forward& forward) {
  return host_and_port(forward.host_address, forward.host_port) + " -> " +
         std::to_string(forward.guest_port) + (forward.protocol == Protocol::udp ? " udp" : " tcp");
}

std::string arrow_text(const PlannedForward& planned) {
  return arrow_text(planned.forward) + (planned.listener.empty() ? "" : " (auto)");
}

std::string uptime_text(double seconds) {
  const auto whole = static_cast<long long>(std::floor(std::max(seconds, 0.0)));
  const auto pair = [](long long large, const char* unit, long long small, const char* small_unit) {
    return std::to_string(large) + unit + ' ' + std::to_string(small) + small_unit;
  };
  if (whole < 60) return std::to_string(whole) + "s";
  if (whole < 3600) return pair(whole / 60, "m", whole % 60, "s");
  if (whole < 86400) return pair(whole / 3600, "h", whole % 3600 / 60, "m");
  return pair(whole / 86400, "d", whole % 86400 / 3600, "h");
}

std::string state_text(const VmStatus& status) {
  if (status.operation && status.state == VmState::busy)
    return printable(operation_text(*status.operation));
  std::string text(state_name(status.state));
  if (status.state == VmState::paused && !status.qemu_state.empty() &&
      status.qemu_state != "paused")
    text += " (" + printable(status.qemu_state) + ')';
  return text;
}

std::string ssh_command(const VmFacts& facts) {
  const auto* plan = facts.plan();
  // Without a forward it may be on a bridge, where a user was made for it.
  const bool made = plan != nullptr && !plan->guest.user.empty();
  if (!facts.runs() || (facts.ssh() == nullptr && !made)) return {};
  return "qlaunch ssh " + shell_quote(facts.name());
}

std::string display_text(const VmFacts& facts) {
  if (!facts.runs()) return {};
  const auto& plan = *facts.plan();
  switch (plan.display) {
    case DisplayType::gtk:
    case DisplayType::sdl:
      return "a window on this desktop";
    case DisplayType::spice:
      return "remote-viewer " + shell_quote(plan.spice_address);
    default:
      break;
  }
  if (plan.vnc_socket.empty()) return {};
  return "qlaunch view " + shell_quote(facts.name());
}

std::string reach_text(const VmFacts& facts) {
  const auto& live = *facts.status.live;
  std::string out = facts.name() + " runs (pid " + std::to_string(live.qemu.pid) + ", " +
                    facts.status.accelerator + ", " + format_size(live.plan.memory) + ")\n";
  const auto name = shell_quote(facts.name());
  std::vector<std::pair<std::string, std::string>> ways;
  if (live.plan.descriptor("serial") != nullptr)
    ways.emplace_back("console", "qlaunch console " + name);
  ways.emplace_back("ssh", ssh_command(facts));
  std::string forwards;
  for (const auto& planned : facts.forwards()) {
    if (&planned.forward == facts.ssh()) continue;
    forwards += (forwards.empty() ? "" : "\n") + arrow_text(planned.forward);
  }
  ways.emplace_back("forward", forwards);
  // A machine without a desktop shows its picture only to those who ask: `status` tells.
  if (live.plan.display != DisplayType::none) ways.emplace_back("display", display_text(facts));
  std::string mounts;
  for (const auto& share : live.plan.shares) {
    if (share.mount.empty()) mounts += (mounts.empty() ? "" : "\n") + mount_command(share);
  }
  ways.emplace_back("in guest", mounts);
  ways.emplace_back("stop", "qlaunch shutdown " + name);
  return out + facts_table(ways, std::nullopt, "    ");
}

std::vector<std::string> serial_tail(const Plan& plan, std::size_t lines) {
  std::vector<std::string> out;
  if (plan.serial_log.empty()) return out;
  Harmless harmless;
  for (auto& line : split(harmless.feed(tail_of_file(plan.serial_log)), '\n')) {
    std::erase(line, '\r');
    if (!trim(line).empty()) out.push_back(std::move(line));
  }
  if (out.size() > lines) out.erase(out.begin(), out.end() - static_cast<std::ptrdiff_t>(lines));
  return out;
}

}  // namespace qlaunch
