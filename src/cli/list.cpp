// SPDX-License-Identifier: MIT
#include "cli/list.hpp"

#include "cli/facts.hpp"
#include "cli/options.hpp"
#include "cli/report_json.hpp"
#include "cli/table.hpp"
#include "core/text.hpp"
#include "vm/catalog.hpp"

namespace qlaunch {
namespace {

std::string forwards_cell(const VmFacts& facts) {
  std::vector<std::string> texts;
  for (const auto& planned : facts.forwards()) {
    const auto& forward = planned.forward;
    // 127.0.0.1 and TCP are what everyone has.
    std::string text = forward.host_address == "127.0.0.1" ? "" : forward.host_address + ':';
    text += std::to_string(forward.host_port) + "->" + std::to_string(forward.guest_port);
    if (forward.protocol == Protocol::udp) text += "/udp";
    texts.push_back(std::move(text));
  }
  return join(texts, " ");
}

std::vector<std::string> row(const VmFacts& facts) {
  const bool runs = facts.runs();
  return {facts.name(),
          state_text(facts.status),
          runs ? uptime_text(facts.status.uptime) : "",
          facts.status.accelerator,
          runs ? format_size(facts.plan()->memory) : "",
          runs ? std::to_string(facts.status.live->qemu.pid) : "",
          forwards_cell(facts)};
}

}  // namespace

void add_list(CLI::App& app, ListOptions& options) {
  add_flag(app, options.names, "-q,--quiet", "print only names");
  add_json(app, options.json, "print an array of objects; the keys are below");
}

int list(const ListOptions& options, Terminal& terminal) {
  if (options.names && !options.json) {
    for (const auto& name : known_vms()) terminal.print(name + '\n');
    return 0;
  }
  int code = 0;
  const auto vms = gather_vms(false, [&](const Error& error) {
    terminal.complain(error);
    code = static_cast<int>(error.code());
  });
  if (options.json) {
    terminal.print(list_json(vms));
    return code;
  }
  if (vms.empty()) {
    if (code == 0) terminal.say("no VMs yet: start one with `qlaunch up PROFILE`\n");
    return code;
  }
  std::vector<std::vector<std::string>> rows;
  rows.reserve(vms.size());
  for (const auto& facts : vms) rows.push_back(row(facts));
  terminal.print(table({{.heading = "NAME"},
                        {.heading = "STATE"},
                        {.heading = "UPTIME", .right = true, .dispensable = 1},
                        {.heading = "ACCEL", .dispensable = 3},
                        {.heading = "MEMORY", .right = true, .dispensable = 2},
                        {.heading = "PID", .right = true, .dispensable = 4},
                        {.heading = "FORWARDS"}},
                       std::move(rows), terminal.table_width()));
  return code;
}

}  // namespace qlaunch
