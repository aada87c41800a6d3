// SPDX-License-Identifier: MIT
#include "vm/share/detached_record.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "vm/process_json.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::string shares_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/detached-shares.json";
}

Json shares_to_json(const std::vector<DetachedShare>& shares) {
  auto out = Json::array();
  for (const auto& share : shares) {
    auto mounts = Json::array();
    for (const auto& mount : share.mounts)
      mounts.push_back(
          {{"target", mount.target}, {"options", mount.options}, {"order", mount.order}});
    out.push_back({{"tag", share.tag},
                   {"virtiofs", share.virtiofs},
                   {"id", share.id},
                   {"device", share.device},
                   {"mounts", mounts}});
  }
  return out;
}

std::vector<DetachedShare> shares_from_json(const Json& json) {
  std::vector<DetachedShare> out;
  for (const auto& one : json) {
    DetachedShare share{one.at("tag"), one.at("virtiofs"), one.at("id"), one.at("device"), {}};
    for (const auto& mount : one.at("mounts"))
      share.mounts.push_back({mount.at("target"), mount.at("options"), mount.value("order", 0L)});
    out.push_back(std::move(share));
  }
  return out;
}

}  // namespace

std::string detached_to_json(const std::vector<DetachedShare>& shares) {
  return shares_to_json(shares).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<DetachedShare> detached_from_json(const std::string& text) {
  try {
    return text.empty() ? std::vector<DetachedShare>() : shares_from_json(Json::parse(text));
  } catch (const Json::exception& error) {
    throw Error("what is kept about detached shares is damaged: " + std::string(error.what()));
  }
}

void remember_shares(const LiveRecord& live, const std::vector<DetachedShare>& shares,
                     GivenBackBy whom) {
  const auto process =
      whom == GivenBackBy::this_process ? identify(getpid()).value_or(ProcessId{}) : ProcessId{};
  const Json json = {{"process", process_to_json(process)},
                     {"qemu", process_to_json(live.qemu)},
                     {"shares", shares_to_json(shares)}};
  write_file_atomic(shares_path(live.name),
                    json.dump(-1, ' ', false, Json::error_handler_t::replace), 0600,
                    Durability::quick);
}

std::optional<RememberedShares> remembered_shares(const std::string& name) {
  const auto text = try_read_file(shares_path(name));
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    return RememberedShares{process_from_json(json.at("process")),
                            process_from_json(json.at("qemu")),
                            shares_from_json(json.at("shares"))};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void forget_shares(const std::string& name) {
  remove_tree(shares_path(name));
}

}  // namespace qlaunch
