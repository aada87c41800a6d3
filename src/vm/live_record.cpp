// SPDX-License-Identifier: MIT
// The live record on the disk, in its two copies.
#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "vm/found_run.hpp"
#include "vm/process_json.hpp"
#include "vm/record_text.hpp"
#include "vm/takeover.hpp"

#include <filesystem>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::string live_path(const std::string& name) {
  return vm_paths(state_roots(), name).runtime + "/live.json";
}

std::string lasting_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/run.json";
}

std::string text_of(const LiveRecord& live) {
  auto helpers = Json::array();
  for (const auto& helper : live.helpers)
    helpers.push_back({{"name", helper.name},
                       {"serves", helper.serves},
                       {"process", process_to_json(helper.process)}});
  Plan plan = live.plan;
  plan.forwards = live.forwards;
  Json json = {{"name", live.name},
               {"qemu", process_to_json(live.qemu)},
               {"keeper", process_to_json(live.keeper)},
               {"helpers", helpers},
               {"started", live.started}};
  if (live.unwatched)
    json["unwatched"] = {{"from", live.unwatched->from}, {"until", live.unwatched->until}};
  return join_record(json.dump(-1, ' ', false, Json::error_handler_t::replace), plan_to_json(plan));
}

LiveRecord from_text(const std::string& text) {
  const auto [facts, plan] = split_record(text);
  const auto json = Json::parse(facts);
  LiveRecord live;
  live.name = json.at("name");
  live.qemu = process_from_json(json.at("qemu"));
  live.keeper = process_from_json(json.at("keeper"));
  for (const auto& helper : json.at("helpers"))
    live.helpers.push_back(
        {helper.at("name"), helper.at("serves"), process_from_json(helper.at("process"))});
  live.started = json.at("started");
  live.plan = plan_from_json(plan);
  live.forwards = live.plan.forwards;
  if (const auto gap = json.find("unwatched"); gap != json.end())
    live.unwatched = {gap->at("from"), gap->at("until")};
  return live;
}

std::optional<std::string> try_read(const std::string& path) {
  return try_read_file(path, std::size_t{16} << 20);
}

std::optional<LiveRecord> read_copy(const std::string& name, const std::string& path) {
  const auto text = try_read(path);
  if (!text) return std::nullopt;
  try {
    return from_text(*text);
  } catch (const std::exception& error) {
    // Nothing is removed here: a QEMU may run behind it.
    throw Error("the live record of VM " + in_backticks(name) + " cannot be read: " + error.what())
        .help("its file is " + path + "; it names the pid of QEMU");
  }
}

std::optional<LiveRecord> read_lasting(const std::string& name) {
  const auto path = lasting_path(name);
  const auto text = try_read(path);
  if (!text) return std::nullopt;
  // It outlives a crash of the host, which may have cut it off; nothing runs behind it then.
  try {
    if (!alive(process_from_json(Json::parse(split_record(*text).facts).at("qemu"))))
      return from_text(*text);
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return read_copy(name, path);
}

}  // namespace

FoundRun find_run(const std::string& name) {
  FoundRun run;
  auto& live = run.live;
  live = read_copy(name, live_path(name));
  run.qemu_alive = live && alive(live->qemu);
  if (!run.qemu_alive) {
    auto kept = read_lasting(name);
    const bool kept_alive = kept && alive(kept->qemu);
    if (kept && (!live || kept_alive)) {
      live = std::move(kept);
      run.qemu_alive = kept_alive;
    }
  }
  run.keeper_alive = live && alive(live->keeper);
  if (live && !run.keeper_alive) {
    if (auto heir = read_succession(name); heir && heir->qemu == live->qemu) {
      live->keeper = heir->keeper;
      live->unwatched = std::move(heir->unwatched);
      run.keeper_alive = alive(live->keeper);
    }
  }
  return run;
}

std::optional<LiveRecord> read_live(const std::string& name) {
  return find_run(name).live;
}

void write_live(const LiveRecord& live) {
  // Where the run is, whatever this process's own environment says.
  // It is of no use after a crash of the host: no time is spent on making it survive one.
  write_file_atomic(live.plan.paths.runtime + "/live.json", text_of(live), 0600, Durability::quick);
  remember_run(live);
}

void remember_run(const LiveRecord& live) {
  try {
    write_file_atomic(live.plan.paths.data + "/run.json", text_of(live), 0600, Durability::quick);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // It is a second copy.
  }
}

void forget_run(const std::string& name) {
  std::error_code ignored;
  std::filesystem::remove(lasting_path(name), ignored);
  forget_succession(name);
}

std::string unreachable(const LiveRecord& live) {
  const auto* qmp = live.plan.descriptor("qmp");
  std::error_code ignored;
  const auto gone = [&](const std::string& path) {
    return !std::filesystem::exists(path, ignored);
  };
  const auto& folder = live.plan.paths.runtime;
  if (gone(folder))
    return "its runtime folder " + in_backticks(folder) + " is gone: its sockets cannot be reached";
  if (qmp != nullptr && gone(qmp->path))
    return "its socket " + in_backticks(qmp->path) + " is gone: it cannot be asked";
  return {};
}

}  // namespace qlaunch
