// SPDX-License-Identifier: MIT
#include "plan/warm.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

std::string file_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

/// Two runs lead other ports of the host to the same ones of the guest, which it does not notice.
std::string without_ports(const std::string& netdev) {
  auto json = Json::parse(netdev, nullptr, false);
  if (!json.is_object() || json.value("type", "") != "user") return netdev;
  json.erase("hostfwd");
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string line_of(const Command& command) {
  std::string out = command.program;
  for (const auto& argument : command.arguments) {
    const auto& words = argument.words;
    if (words.front() == "-name") continue;
    for (std::size_t index = 0; index < words.size(); ++index)
      out +=
          ' ' + (index == 1 && words.front() == "-netdev" ? without_ports(words[1]) : words[index]);
    out += '\n';
  }
  return out;
}

}  // namespace

std::optional<std::string> unfit_for_warm_start(const Profile& profile, bool agent) {
  for (const auto& share : profile.shares) {
    if (share.driver == ShareDriver::virtiofs)
      return "a virtiofs share, whose server reads the guest's memory";
  }
  for (const auto& network : profile.networks) {
    if (network.mode != NetworkMode::user && network.mode != NetworkMode::none)
      return "a network on which two of its runs would have the same address";
  }
  for (const auto& usb : profile.usb) {
    if (usb.device == "host") return "a USB device of the host";
  }
  if (profile.ready.when.kind == ReadyWhen::Kind::started &&
      !(agent && profile.machine.guest_agent))
    return "no [ready] at which its state could be saved";
  return std::nullopt;
}

ReadyWhen warm_ready(const Profile& profile) {
  auto when = profile.ready.when;
  if (when.kind == ReadyWhen::Kind::started) when.kind = ReadyWhen::Kind::agent;
  return when;
}

VmPaths warm_paths(const std::string& cache) {
  return {"/@run", "/@data", "/@state", cache};
}

std::string warm_command_lines(const Plan& plan) {
  auto out = line_of(plan.qemu);
  for (const auto& helper : plan.helpers) out += line_of(helper.command);
  // What the guest is told by file.
  for (const auto& each : plan.preparations) {
    if (const auto* file = std::get_if<WriteFile>(&each.what)) out += file->content + '\n';
    if (const auto* seed = std::get_if<MakeSeed>(&each.what)) {
      for (const auto& file : seed->files) out += file.name + '\n' + file.content + '\n';
    }
  }
  return out;
}

std::string warm_identity(const std::string& vm) {
  return vm + "#warm";
}

std::vector<std::string> changed_parts(const WarmKey& before, const WarmKey& now) {
  std::vector<std::string> out;
  const auto same = [](const WarmKey& key, const std::pair<std::string, std::string>& part) {
    return std::find(key.begin(), key.end(), part) != key.end();
  };
  const auto add = [&](const WarmKey& key, const WarmKey& other) {
    for (const auto& part : key) {
      if (!same(other, part) && std::find(out.begin(), out.end(), part.first) == out.end())
        out.push_back(part.first);
    }
  };
  add(now, before);
  add(before, now);
  return out;
}

std::string frozen_disk(const std::string& folder, const std::string& path) {
  return folder + "/disk-" + file_name(path);
}

std::string frozen_overlay(const std::string& folder, const std::string& path) {
  return folder + "/overlay-" + file_name(path);
}

std::string frozen_memory(const std::string& folder) {
  return folder + "/memory";
}

std::string frozen_nvram(const std::string& folder) {
  return folder + "/nvram.qcow2";
}

}  // namespace qlaunch
