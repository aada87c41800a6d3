// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/facts.hpp"
#include "host/paths.hpp"
#include "host/socket.hpp"
#include "plan/script.hpp"
#include "plan/warm.hpp"
#include "profile/syntax.hpp"
#include "vm/catalog.hpp"
#include "vm/disk/live_overlays.hpp"
#include "vm/ephemeral.hpp"
#include "vm/installer.hpp"
#include "vm/launch.hpp"
#include "vm/record.hpp"

#include <algorithm>
#include <filesystem>

namespace qlaunch {
namespace {

/// Ports that "auto" forwards had before, so that a VM is found where it was; 0 where QEMU is to
/// take a free one.
std::vector<std::uint16_t> remembered_ports(const Profile& profile,
                                            const std::optional<Record>& record,
                                            bool must_be_free) {
  std::vector<std::uint16_t> ports;
  for (const auto& network : profile.networks) {
    for (const auto& forward : network.forward) {
      if (forward.host_port != 0) continue;
      std::uint16_t port = 0;
      if (record) {
        const auto known = record->auto_ports.find(auto_port_key(network.name, forward));
        if (known != record->auto_ports.end()) port = known->second;
      }
      if (port != 0 && must_be_free && !port_free(forward.protocol, forward.host_address, port))
        port = 0;
      ports.push_back(port);
    }
  }
  return ports;
}

/// The name becomes part of paths, also of those that are emptied before a start.
void check_name(const std::string& name) {
  const auto problem = check_vm_name(name);
  if (!problem) return;
  UsageError error("`--name " + shell_quote(name) + "`: " + problem->message);
  for (const auto& help : problem->help) error.help(help);
  throw error;
}

}  // namespace

Prepared prepare(const LaunchRequest& request, SocketStyle sockets) {
  if (!request.name.empty()) check_name(request.name);
  auto loaded = open_profile(request.profile, request.settings, request.folder);
  if (has_errors(loaded.diagnostics)) throw ProfileError(std::move(loaded.diagnostics));

  Prepared prepared;
  prepared.profile = std::move(loaded.profile);
  prepared.warnings = std::move(loaded.diagnostics);
  for (const auto& source : loaded.sources) {
    if (source->name == "--set") continue;
    // Messages name a file as the user sees it from here; the record is read from anywhere.
    const auto path = source->name.starts_with(builtin_prefix)
                          ? source->name
                          : std::filesystem::absolute(source->name).lexically_normal().string();
    prepared.sources.push_back({path, source->text});
  }
  auto& name = prepared.profile.name;
  prepared.profile_name = name;
  std::string regular = vm_called(name, request.profile);
  if (!request.of.empty()) regular = request.of;
  prepared.regular = regular;
  if (request.ephemeral && request.name.empty()) {
    name = ephemeral_name(name);
  } else {
    name = request.name.empty() ? regular : request.name;
  }
  if (request.ephemeral) settle_if_stopped(regular);
  if (!request.cdrom.empty()) add_installer(prepared.profile, request.cdrom);

  const auto roots = state_roots();
  prepared.facts = gather_facts(prepared.profile, roots);

  const auto record = read_record(name);
  const auto pinned = request.ephemeral ? read_record(regular) : record;
  prepared.known = record.has_value();
  prepared.identity = record ? record->identity : new_identity(name);
  PlanInput input;
  input.paths = vm_paths(roots, name);
  input.identity = prepared.identity;
  input.sockets = sockets;
  if (sockets == SocketStyle::path) input.paths.runtime = script_folder;
  // The version stays what it was at the first start, so that snapshots still load after an
  // upgrade of QEMU.
  if (pinned && pinned->machine_asked == prepared.profile.machine.type)
    input.machine_type = pinned->machine_type;
  if (request.ephemeral) input.ephemeral_of = vm_paths(roots, regular).data;
  input.warm = request.warm;
  if (request.warm) input.identity = warm_identity(regular);
  input.paused = request.paused;
  input.auto_ports = remembered_ports(prepared.profile, record, sockets == SocketStyle::descriptor);

  auto planned = make_plan(prepared.profile, prepared.facts, input);
  prepared.warnings.insert(prepared.warnings.end(), planned.diagnostics.begin(),
                           planned.diagnostics.end());
  if (has_errors(prepared.warnings)) throw ProfileError(std::move(prepared.warnings));
  prepared.plan = std::move(planned.plan);
  return prepared;
}

}  // namespace qlaunch
