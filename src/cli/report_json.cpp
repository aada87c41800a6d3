// SPDX-License-Identifier: MIT
#include "cli/report_json.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "plan/share_mount.hpp"
#include "vm/ephemeral.hpp"
#include "vm/journal.hpp"
#include "vm/state/warm.hpp"

#include <cmath>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

// Keys in the order they are written: people read it too.
using Json = nlohmann::ordered_json;

std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

Json or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

Json forwards_of(const std::vector<PlannedForward>& forwards) {
  Json out = Json::array();
  for (const auto& planned : forwards) {
    const auto& forward = planned.forward;
    out.push_back({{"network", planned.network},
                   {"protocol", forward.protocol == Protocol::udp ? "udp" : "tcp"},
                   {"host_address", forward.host_address},
                   {"host_port", forward.host_port},
                   {"guest_port", forward.guest_port},
                   {"auto", !planned.listener.empty()},
                   {"guest_address", or_null(planned.listener)},
                   {"by", planned.by_ssh ? "ssh" : "network"}});
  }
  return out;
}

Json addresses_json(const GuestAddresses& addresses) {
  Json out = Json::array();
  for (const auto& fact : addresses.all)
    out.push_back({{"interface", or_null(fact.interface)},
                   {"mac", or_null(fact.mac)},
                   {"address", fact.address},
                   {"prefix", fact.prefix == 0 ? Json() : Json(fact.prefix)},
                   {"family", fact.ipv6 ? "ipv6" : "ipv4"},
                   {"by", fact.by},
                   {"time", fact.by == "agent" ? or_null(addresses.time) : Json()}});
  return out;
}

/// What `auto_forward` cannot bring to the host.
Json auto_forward_json(const std::optional<AutoPorts>& ports) {
  if (!ports) return {};
  Json waiting = Json::array();
  for (const auto& port : ports->ports) {
    if (port.state != AutoPort::State::waiting && port.state != AutoPort::State::removed) continue;
    waiting.push_back({{"protocol", port.listener.protocol == Protocol::udp ? "udp" : "tcp"},
                       {"guest_address", port.listener.address},
                       {"guest_port", port.listener.port},
                       {"host_port", port.host_port},
                       {"cause", port.why.empty() ? "it was removed" : port.why}});
  }
  return {{"by", or_null(ports->by)}, {"problem", or_null(ports->problem)}, {"missing", waiting}};
}

Json end_json(const EndOfRun& end) {
  return {{"time", end.time},
          {"reason", end.reason},
          {"text", end.text},
          {"exit", or_null(end.exit)},
          {"said", or_null(end.said)}};
}

Json operation_json(const std::optional<Operation>& operation) {
  if (!operation) return {};
  return {{"what", operation_text({operation->what, {}, {}, {}})},
          {"since", operation->since},
          {"percent", operation->percent ? Json(*operation->percent) : Json()},
          {"pid", operation->orphaned ? Json() : Json(operation->process.pid)}};
}

/// What `list` and `status` both say.
Json summary(const VmFacts& facts) {
  const auto& status = facts.status;
  Json out;
  out["name"] = facts.name();
  out["state"] = state_name(status.state);
  out["pid"] = facts.runs() ? Json(status.live->qemu.pid) : Json();
  out["uptime"] = facts.runs() ? Json(std::round(status.uptime * 1000) / 1000) : Json();
  out["accelerator"] = or_null(status.accelerator);
  const auto* plan = facts.plan();
  out["cpus"] = plan != nullptr ? Json(plan->cpus) : Json();
  out["memory"] = plan != nullptr ? Json(plan->memory) : Json();
  out["operation"] = operation_json(status.operation);
  out["forwards"] = forwards_of(facts.forwards());
  out["ssh_port"] = facts.ssh() != nullptr ? Json(facts.ssh()->host_port) : Json();
  out["profile"] = facts.record ? or_null(facts.record->profile) : Json();
  out["needs_restart"] = status.needs_restart;
  out["ephemeral"] = is_ephemeral(facts.name());
  out["last_end"] = facts.end ? end_json(*facts.end) : Json();
  return out;
}

Json disks_json(const Plan& plan) {
  Json out = Json::array();
  for (const auto& disk : plan.disks)
    out.push_back({{"name", disk.name},
                   {"path", disk.path},
                   {"format", disk.format == DiskFormat::qcow2 ? "qcow2" : "raw"},
                   {"readonly", disk.readonly}});
  return out;
}

/// How the guest mounts them.
void add_mounts(Json& shares, const Plan& plan) {
  for (auto& share : shares) {
    for (const auto& planned : plan.shares) {
      if (share["tag"] != planned.tag) continue;
      share["mount_command"] = mount_command(planned);
      share["nixos"] = nixos_mount(planned);
    }
  }
}

Json shares_json(const Profile& profile) {
  Json out = Json::array();
  for (const auto& share : profile.shares)
    out.push_back({{"tag", share.tag},
                   {"path", share.path},
                   {"driver", share.driver == ShareDriver::p9 ? "9p" : "virtiofs"},
                   {"readonly", share.readonly},
                   {"mount", or_null(share.mount)},
                   {"mount_command", Json()},
                   {"nixos", Json()}});
  return out;
}

Json helpers_json(const LiveRecord& live) {
  Json out = Json::array();
  for (const auto& helper : live.helpers)
    out.push_back({{"name", helper.name},
                   {"serves", helper.serves},
                   {"pid", helper.process.pid},
                   {"runs", alive(helper.process)},
                   {"exit", alive(helper.process)
                                ? Json()
                                : or_null(helper_exit(live.name, helper.name, live.started))}});
  return out;
}

Json whole(const VmFacts& facts) {
  const auto& status = facts.status;
  const auto* plan = facts.plan();
  Json out = summary(facts);
  out["suspended"] = facts.suspended
                         ? Json{{"time", facts.suspended->time}, {"bytes", facts.suspended->bytes}}
                         : Json();
  out["warm"] = facts.runs() ? or_null(warm_time(*plan)) : Json();
  out["qemu_state"] = or_null(status.qemu_state);
  out["started"] = status.live ? or_null(status.live->started) : Json();
  out["resident"] = facts.runs() ? Json(status.resident) : Json();
  out["machine"] = plan != nullptr ? or_null(plan->machine_type) : Json();
  out["settings"] = facts.record ? Json(facts.record->settings) : Json::array();
  out["ssh"] = or_null(ssh_command(facts));
  out["macs"] = plan != nullptr ? Json(plan->macs) : Json::array();
  out["addresses"] = addresses_json(facts.addresses);
  out["disks"] = plan != nullptr ? disks_json(*plan) : Json::array();
  out["shares"] = facts.profile ? shares_json(*facts.profile) : Json::array();
  if (facts.plan() != nullptr) add_mounts(out["shares"], *facts.plan());
  out["auto_forward"] = auto_forward_json(facts.auto_ports);
  out["display"] = plan != nullptr ? Json(word_of(plan->display)) : Json();
  out["vnc_socket"] = plan != nullptr ? or_null(plan->vnc_socket) : Json();
  out["spice_address"] = plan != nullptr ? or_null(plan->spice_address) : Json();
  Json logs = Json::object();
  for (const auto& log : log_files(facts.name())) logs[log.name] = log.path;
  out["logs"] = logs;
  const auto* gap = facts.runs() && status.live->unwatched ? &*status.live->unwatched : nullptr;
  out["unwatched"] =
      gap != nullptr ? Json{{"from", gap->from}, {"until", or_null(gap->until)}} : Json();
  out["keeper"] = facts.runs() && status.keeper_alive ? Json(status.live->keeper.pid) : Json();
  out["helpers"] = status.live ? helpers_json(*status.live) : Json::array();
  out["problems"] = status.problems;
  return out;
}

/// The element of an array that is meant by its number, or by its name or tag.
const Json* element(const Json& array, const std::string& word) {
  if (const auto index = parse_unsigned(word); index && *index < array.size())
    return &array[static_cast<std::size_t>(*index)];
  for (const auto& each : array) {
    for (const auto* key : {"name", "tag"}) {
      if (each.is_object() && each.contains(key) && each[key] == word) return &each;
    }
  }
  return nullptr;
}

std::vector<std::string> keys_of(const Json& json) {
  std::vector<std::string> keys;
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) keys.push_back(key);
  }
  for (std::size_t index = 0; json.is_array() && index < json.size(); ++index)
    keys.push_back(std::to_string(index));
  return keys;
}

Json array_of(const std::vector<VmFacts>& vms, Json (*object)(const VmFacts&)) {
  Json out = Json::array();
  for (const auto& each : vms) out.push_back(object(each));
  return out;
}

}  // namespace

std::string list_json(const std::vector<VmFacts>& vms) {
  return text_of(array_of(vms, summary));
}
std::string status_json(const VmFacts& facts) {
  return text_of(whole(facts));
}
std::string status_json(const std::vector<VmFacts>& vms) {
  return text_of(array_of(vms, whole));
}

std::string status_value(const VmFacts& facts, const std::string& key) {
  const Json json = whole(facts);
  const Json* at = &json;
  std::string reached;
  for (const auto& word : split(key, '.')) {
    const Json* next = nullptr;
    if (at->is_object() && at->contains(word)) next = &at->at(word);
    if (at->is_array()) next = element(*at, word);
    if (next == nullptr) {
      UsageError error("the status of " + in_backticks(facts.name()) + " has no " +
                       in_backticks(reached + word));
      const auto keys = keys_of(*at);
      if (const auto near = nearest(word, keys))
        error.help("did you mean " + in_backticks(reached + *near) + "?");
      const auto above = in_backticks(reached.substr(0, reached.find_last_of('.')));
      if (keys.empty()) throw std::move(error).help("nothing is below " + above);
      const auto below = reached.empty() ? std::string() : "below " + above + ' ';
      throw std::move(error).help(below + (keys.size() == 1 ? "there is " : "there are ") +
                                  enumerate(keys));
    }
    at = next;
    reached += word + '.';
  }
  if (at->is_string()) return at->get<std::string>() + '\n';
  return at->dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string forwards_json(const std::vector<PlannedForward>& forwards) {
  return text_of(forwards_of(forwards));
}

std::string findings_json(const std::vector<Finding>& findings) {
  Json out = Json::array();
  for (const auto& finding : findings)
    out.push_back({{"topic", finding.topic},
                   {"level", level_name(finding.level)},
                   {"text", finding.text},
                   {"mend", or_null(finding.mend)}});
  return text_of(out);
}

std::string diagnostics_json(const std::vector<Diagnostic>& diagnostics) {
  const auto severity = [](Severity level) {
    return level == Severity::error ? "error" : level == Severity::warning ? "warning" : "note";
  };
  Json out = Json::array();
  for (const auto& each : diagnostics) {
    const bool placed = each.where && each.where.line > 0;
    out.push_back({{"file", each.where ? Json(each.where.source->name) : Json()},
                   {"line", placed ? Json(each.where.line) : Json()},
                   {"column", placed ? Json(each.where.column) : Json()},
                   {"severity", severity(each.severity)},
                   {"message", each.message},
                   {"help", each.help}});
  }
  return text_of(out);
}

}  // namespace qlaunch
