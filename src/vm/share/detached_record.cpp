// SPDX-License-Identifier: MIT
#include "vm/share/detached_record.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "vm/process_json.hpp"

#include <algorithm>

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

std::string named(const std::vector<DetachedShare>& shares) {
  std::vector<std::string> tags;
  tags.reserve(shares.size());
  for (const auto& share : shares) tags.push_back(in_backticks(share.tag));
  return (tags.size() == 1 ? "share " : "shares ") + enumerate(tags);
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

bool others_at_work(const RememberedShares& left) {
  const bool mine = left.process == identify(getpid()).value_or(ProcessId{});
  return !mine && alive(left.process);
}

void refuse_detached(const LiveRecord& live) {
  const auto left = remembered_shares(live.name);
  if (!left || left->qemu != live.qemu) return;
  throw StateError("the guest of VM " + in_backticks(live.name) + " does not have " +
                   named(left->shares) +
                   " back, detached before: a state saved now would not know of them")
      .help("try again when the guest runs and its agent answers: `qlaunch status " +
            shell_quote(live.name) + "` tells why not");
}

std::string shares_left_out(const std::string& name) {
  const auto left = remembered_shares(name);
  if (!left || alive(left->process)) return {};
  return named(left->shares);
}

Plan without_shares(Plan plan, const std::vector<DetachedShare>& shares) {
  std::erase_if(plan.qemu.arguments, [&](const Argument& argument) {
    return std::any_of(shares.begin(), shares.end(), [&](const DetachedShare& share) {
      return share.virtiofs && argument.words.size() == 2 && argument.words.front() == "-device" &&
             argument.words.back() == share.device;
    });
  });
  return plan;
}

}  // namespace qlaunch
