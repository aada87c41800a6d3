// SPDX-License-Identifier: MIT
#include "plan/going_on.hpp"

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

Json hostfwd_of(const std::string& network, const std::vector<PlannedForward>& forwards) {
  Json list = Json::array();
  for (const auto& planned : forwards) {
    if (planned.network != network) continue;
    const auto& forward = planned.forward;
    list.push_back({{"str", std::string(forward.protocol == Protocol::tcp ? "tcp" : "udp") + ':' +
                                forward.host_address + ':' + std::to_string(forward.host_port) +
                                "-:" + std::to_string(forward.guest_port)}});
  }
  return list;
}

/// A network that a profile's own arguments spell otherwise is left alone.
void set_forwards(std::string& netdev, const std::vector<PlannedForward>& forwards) {
  auto json = Json::parse(netdev, nullptr, false);
  if (!json.is_object() || json.value("type", "") != "user") return;
  auto list = hostfwd_of(json.value("id", ""), forwards);
  json.erase("hostfwd");
  if (!list.empty()) json["hostfwd"] = std::move(list);
  netdev = json.dump();
}

bool is_option(const Argument& argument, const char* name) {
  return argument.words.size() == 2 && argument.words[0] == name;
}

}  // namespace

Plan going_on(Plan plan, const std::vector<PlannedForward>& forwards) {
  auto& arguments = plan.qemu.arguments;
  std::erase_if(arguments, [](const Argument& argument) {
    return argument.words == std::vector<std::string>{"-S"} || is_option(argument, "-incoming");
  });
  for (auto& argument : arguments) {
    if (is_option(argument, "-netdev")) set_forwards(argument.words[1], forwards);
    // The state goes on with what the guest has said.
    if (is_option(argument, "-chardev") && argument.words[1].starts_with("socket,id=serial,") &&
        argument.words[1].find(",logfile=") != std::string::npos &&
        !argument.words[1].ends_with(",logappend=on"))
      argument.words[1] += ",logappend=on";
  }
  arguments.push_back(
      {{"-incoming", "defer"},
       {{}, "the guest goes on from a saved state, which is loaded by QMP once QEMU listens"}});
  plan.forwards = forwards;
  std::erase_if(plan.preparations, [](const Preparation& each) {
    const auto* disk = std::get_if<MakeDisk>(&each.what);
    return disk != nullptr && disk->fresh;
  });
  return plan;
}

}  // namespace qlaunch
