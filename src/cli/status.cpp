// SPDX-License-Identifier: MIT
#include "cli/status.hpp"

#include "cli/facts.hpp"
#include "cli/options.hpp"
#include "cli/report_json.hpp"
#include "cli/table.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "plan/share_mount.hpp"
#include "vm/catalog.hpp"
#include "vm/ephemeral.hpp"
#include "vm/journal.hpp"
#include "vm/state/warm.hpp"

namespace qlaunch {
namespace {

using Facts = std::vector<std::pair<std::string, std::string>>;

std::string lines(const std::vector<std::string>& all) {
  return join(all, "\n");
}

std::string profile_text(const VmFacts& facts) {
  if (!facts.record) return {};
  std::string text = facts.record->profile;
  for (const auto& setting : facts.record->settings) text += "\n--set " + shell_quote(setting);
  if (facts.status.needs_restart)
    text += "\nchanged since the start: needs restart (`qlaunch diff " + shell_quote(facts.name()) +
            "`)";
  return text;
}

std::string disks_text(const Plan& plan) {
  std::vector<std::string> all;
  for (const auto& disk : plan.disks)
    all.push_back(disk.name + ": " + disk.path +
                  (disk.format == DiskFormat::qcow2 ? " (qcow2" : " (raw") +
                  (disk.readonly ? ", read-only)" : ")"));
  return lines(all);
}

std::string shares_text(const Profile& profile) {
  std::vector<std::string> all;
  for (const auto& share : profile.shares)
    all.push_back(share.tag + ": " + share.path +
                  (share.driver == ShareDriver::p9 ? " (9p" : " (virtiofs") +
                  (share.readonly ? ", read-only)" : ")"));
  return lines(all);
}

/// Of shares that the guest is not told of: how it mounts them.
std::string mounts_text(const Plan& plan) {
  std::vector<std::string> all;
  for (const auto& share : plan.shares) {
    if (!share.mount.empty()) continue;
    all.push_back(mount_command(share));
    all.push_back(nixos_mount(share));
  }
  return lines(all);
}

std::string forwards_text(const VmFacts& facts) {
  std::vector<std::string> all;
  for (const auto& planned : facts.forwards()) all.push_back(arrow_text(planned));
  return lines(all);
}

/// A line for each interface of the guest.
std::string addresses_text(const VmFacts& facts) {
  std::vector<std::string> all;
  std::string interface;
  for (const auto& fact : facts.addresses.all) {
    const auto address = fact.address + (fact.prefix == 0 ? "" : '/' + std::to_string(fact.prefix));
    if (!all.empty() && !fact.interface.empty() && fact.interface == interface) {
      all.back() += ", " + address;
      continue;
    }
    interface = fact.interface;
    all.push_back((interface.empty() ? "" : interface + ": ") + address +
                  (fact.by == "agent" ? "" : " (" + fact.by + ')'));
  }
  return lines(all);
}

/// What of the guest's ports the profile wants on the host and is not there, and why.
std::string missing_forwards_text(const VmFacts& facts) {
  if (!facts.auto_ports) return {};
  std::vector<std::string> all;
  for (const auto& port : facts.auto_ports->ports) {
    const auto words = std::to_string(port.listener.port) +
                       (port.listener.protocol == Protocol::udp ? " udp: " : " tcp: ");
    if (port.state == AutoPort::State::waiting) all.push_back(words + port.why);
    if (port.state == AutoPort::State::removed)
      all.push_back(words + "it was removed; it comes back when the guest opens it anew");
  }
  if (!facts.auto_ports->problem.empty())
    all.push_back("new ones are not seen: " + facts.auto_ports->problem);
  return lines(all);
}

/// A socket that shows the picture of any VM, also of one that was started without a window.
std::string picture_text(const VmFacts& facts) {
  auto text = display_text(facts);
  const auto& socket = facts.plan()->vnc_socket;
  if (!socket.empty() && text.find(socket) == std::string::npos)
    text += (text.empty() ? "" : "\n") + std::string("VNC on socket ") + socket;
  return text;
}

std::string keeper_text(const VmFacts& facts) {
  if (!facts.runs()) return {};
  if (!facts.status.keeper_alive) return "has ended; the VM goes on without it";
  std::string text = "pid " + std::to_string(facts.status.live->keeper.pid);
  if (const auto& gap = facts.status.live->unwatched) {
    text += ", which has taken over\nwhat happened ";
    text += gap->until.empty() ? "after " + gap->from : "from " + gap->from + " to " + gap->until;
    text += " was not seen";
    if (gap->until.empty()) text += ", and QEMU does not answer the keeper";
  }
  return text;
}

std::string end_text(const EndOfRun& end) {
  return end.time + ": " + end.text + (end.said.empty() ? "" : "\n" + end.said);
}

std::string operation_line(const Operation& operation) {
  return operation_text(operation) + " (since " + operation.since +
         (operation.orphaned ? ", by QEMU: its command was killed)"
                             : ", pid " + std::to_string(operation.process.pid) + ")");
}

std::string status_text(const VmFacts& facts, std::optional<int> width) {
  const auto& status = facts.status;
  const auto* plan = facts.plan();
  const bool runs = facts.runs();
  Facts out{{"name", facts.name()}, {"state", state_text(status)}};
  if (status.operation) out.emplace_back("operation", operation_line(*status.operation));
  for (const auto& problem : status.problems) out.emplace_back("problem", problem);
  if (facts.suspended)
    out.emplace_back("suspended", "at " + facts.suspended->time + ", " +
                                      format_size_rounded(facts.suspended->bytes) +
                                      " on the disk; `qlaunch up " + shell_quote(facts.name()) +
                                      "` goes on from there");
  if (facts.end && !facts.suspended) out.emplace_back("last end", end_text(*facts.end));
  if (runs) {
    out.emplace_back("uptime", uptime_text(status.uptime));
    out.emplace_back("pid", std::to_string(status.live->qemu.pid));
    out.emplace_back("accelerator", status.accelerator);
  }
  if (plan != nullptr) {
    out.emplace_back("cpus", std::to_string(plan->cpus));
    out.emplace_back(
        "memory",
        format_size(plan->memory) +
            (runs ? " (" + format_size_rounded(status.resident) + " resident on the host)" : ""));
    out.emplace_back("machine", plan->machine_type);
  }
  out.emplace_back("profile", profile_text(facts));
  if (is_ephemeral(facts.name()))
    out.emplace_back("ephemeral", "nothing is left when it has ended");
  if (plan != nullptr && runs) {
    if (const auto time = warm_time(*plan); !time.empty())
      out.emplace_back("warm start", "from the ready state of " + time);
  }
  if (facts.record && !is_ephemeral(facts.name())) {
    if (const auto state = read_warm(warm_root(facts.name(), facts.record->profile));
        state && !state->folder.empty())
      out.emplace_back(
          "ready state",
          "of " + state->time + ", " + format_size_rounded(state->bytes) + " in " + state->folder);
  }
  out.emplace_back("ssh", ssh_command(facts));
  out.emplace_back("addresses", addresses_text(facts));
  out.emplace_back("forwards", forwards_text(facts));
  out.emplace_back("not forwarded", missing_forwards_text(facts));
  if (plan != nullptr) out.emplace_back("disks", disks_text(*plan));
  if (facts.profile) out.emplace_back("shares", shares_text(*facts.profile));
  if (plan != nullptr && runs) out.emplace_back("mounted by", mounts_text(*plan));
  if (runs) out.emplace_back("display", picture_text(facts));
  std::vector<std::string> logs;
  for (const auto& log : log_files(facts.name())) logs.push_back(log.name + ": " + log.path);
  out.emplace_back("logs", lines(logs));
  out.emplace_back("keeper", keeper_text(facts));
  for (auto& [name, value] : out) value = printable_lines(value);
  return facts_table(out, width);
}

}  // namespace

void add_status(CLI::App& app, StatusOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile; without one: every VM", false);
  add_text(app, options.key, "--get", "KEY",
           "print one value out of what --json prints, as in `--get forwards.0.host_port`");
  add_json(app, options.json, "print an object (an array of them without VM); the keys are below");
}

int status(const StatusOptions& options, Terminal& terminal) {
  if (!options.vm.empty()) {
    const auto facts = gather_vm(find_vm(options.vm), true);
    terminal.print(!options.key.empty() ? status_value(facts, options.key)
                   : options.json       ? status_json(facts)
                                        : status_text(facts, terminal.table_width()));
    return 0;
  }
  if (!options.key.empty())
    throw UsageError("`--get` needs to know of which VM").help("`qlaunch status VM --get KEY`");
  int code = 0;
  const auto vms = gather_vms(true, [&](const Error& error) {
    terminal.complain(error);
    code = static_cast<int>(error.code());
  });
  if (options.json) {
    terminal.print(status_json(vms));
    return code;
  }
  if (vms.empty() && code == 0) terminal.say("no VMs yet: start one with `qlaunch up PROFILE`\n");
  for (const auto& facts : vms) {
    if (&facts != &vms.front()) terminal.print("\n");
    terminal.print(status_text(facts, terminal.table_width()));
  }
  return code;
}

}  // namespace qlaunch
