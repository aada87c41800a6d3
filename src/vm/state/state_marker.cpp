// SPDX-License-Identifier: MIT
#include "vm/state/state_marker.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "qmp/requests.hpp"
#include "vm/journal.hpp"
#include "vm/process_json.hpp"
#include "vm/share/detached_record.hpp"
#include "vm/state/suspended.hpp"

#include <chrono>

#include <poll.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

constexpr auto cancel_patience = std::chrono::seconds(20);
constexpr int look_at_it_again = 10;  // milliseconds: nobody tells when QEMU has given up

std::string path_of(const VmPaths& paths) {
  return paths.data + "/suspending.json";
}

Json read_marker(const VmPaths& paths) {
  const auto text = try_read_file(path_of(paths));
  auto json = text ? Json::parse(*text, nullptr, false) : Json();
  return json.is_object() ? json : Json();
}

void cancel(qmp::SyncClient& client) {
  const auto deadline = Clock::now() + cancel_patience;
  for (bool told = false; Clock::now() < deadline; told = true) {
    const auto status = client.execute("query-migrate").value("status", "");
    if (status.empty() || status == "completed" || status == "failed" || status == "cancelled")
      return;
    if (!told) client.execute("migrate_cancel");
    poll(nullptr, 0, look_at_it_again);
  }
}

void settle_saving(const LiveRecord& live, qmp::SyncClient& client, bool running) {
  const auto state = client.call(qmp::query_status()).status;
  if (state == "postmigrate" && suspended_by(live.name, live.qemu)) return client.quit();
  cancel(client);
  forget_suspended(live.name);
  if (running && client.call(qmp::query_status()).status != "running") client.execute("cont");
}

/// As far as it came it is taken further, but for a state that QEMU has not got yet.
void settle_loading(const LiveRecord& live, qmp::SyncClient& client) {
  const auto state = client.call(qmp::query_status()).status;
  auto suspended = read_suspended(live.name);
  if (state == "inmigrate") return client.quit();
  if (suspended) {
    suspended->resumed_by = live.qemu;
    write_suspended(*suspended);
    const auto shares = detached_from_json(suspended->detached);
    if (!shares.empty()) remember_shares(live, shares, GivenBackBy::next_command);
  }
  if (state == "paused") client.execute("cont");
  forget_suspended(live.name);
}

}  // namespace

StateMarker::StateMarker(const VmPaths& paths, Work work, bool running) : path_(path_of(paths)) {
  const auto self = identify(getpid()).value_or(ProcessId{});
  const Json json{
      {"by", process_to_json(self)}, {"loading", work == Work::loading}, {"running", running}};
  write_file_atomic(path_, json.dump(), 0600, Durability::quick);
}

StateMarker::~StateMarker() {
  unlink(path_.c_str());
}

std::optional<ProcessId> who_marked(const VmPaths& paths) {
  const auto json = read_marker(paths);
  if (!json.contains("by")) return std::nullopt;
  try {
    return process_from_json(json["by"]);
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void settle_state(const LiveRecord& live, qmp::SyncClient& client) {
  const auto json = read_marker(live.plan.paths);
  if (json.is_null()) return;
  const bool loading = json.value("loading", false);
  journal(live.name, loading ? "WAKE_CUT_OFF" : "SUSPEND_CUT_OFF");
  if (loading) {
    settle_loading(live, client);
  } else {
    settle_saving(live, client, json.value("running", true));
  }
  remove_marker(live.plan.paths);
}

void remove_marker(const VmPaths& paths) {
  unlink(path_of(paths).c_str());
}

}  // namespace qlaunch
