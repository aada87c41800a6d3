// SPDX-License-Identifier: MIT
#include "vm/snapshot/live.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/process.hpp"
#include "image/internal_snapshots.hpp"
#include "qmp/job.hpp"
#include "qmp/message.hpp"
#include "vm/power_off.hpp"
#include "vm/snapshot/progress.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <string_view>

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

constexpr const char* state_node = "state";
constexpr const char* job_prefix = "qlaunch-";

/// QEMU answers in milliseconds, or works on something long: it may have been left with that by a
/// command that was killed.
constexpr auto socket_patience = std::chrono::seconds(10);
constexpr auto reset_patience = std::chrono::seconds(10);

/// QEMU says nothing while it saves or loads: it is given as long as a slow disk may take.
qmp::Deadline long_patience(std::uint64_t bytes) {
  constexpr std::uint64_t slow = 4 * mib;  // a second
  return std::chrono::seconds(120 + static_cast<std::int64_t>(bytes / slow));
}

bool has_node(qmp::SyncClient& client, const std::string& node) {
  const auto nodes = client.execute("query-named-block-nodes", {{"flat", true}});
  return std::any_of(nodes.begin(), nodes.end(),
                     [&](const auto& each) { return each.value("node-name", "") == node; });
}

/// The node names of the file below it, made and made known.
void add_file_node(qmp::SyncClient& client, const std::string& node, const std::string& path) {
  client.execute(
      "blockdev-add",
      {{"driver", "file"}, {"node-name", node}, {"filename", path}, {"discard", "unmap"}});
}

void make_state_image(qmp::SyncClient& client, const std::string& path) {
  std::filesystem::remove(path);
  qmp::JobOptions options;
  client.run_job("blockdev-create",
                 {{"job-id", job_name("image")},
                  {"options", {{"driver", "file"}, {"filename", path}, {"size", 0}}}},
                 options);
  add_file_node(client, "state-file", path);
  client.run_job("blockdev-create",
                 {{"job-id", job_name("format")},
                  {"options", {{"driver", "qcow2"}, {"file", "state-file"}, {"size", 0}}}},
                 options);
}

}  // namespace

std::string job_name(const std::string& kind) {
  static int number = 0;
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return job_prefix + kind + '-' + std::to_string(getpid()) + '-' + std::to_string(now) + '-' +
         std::to_string(++number);
}

/// Whether a snapshot says that its memory is in the image: one that cannot be read just now is not
/// one that is empty.
bool memory_needed(const std::string& name) {
  std::vector<std::string> damaged;
  const auto notes = read_notes(name, damaged);
  return !damaged.empty() || std::any_of(notes.begin(), notes.end(), [](const SnapshotNote& note) {
    return std::any_of(note.members.begin(), note.members.end(),
                       [](const auto& member) { return member.name == "state"; });
  });
}

void tidy_state_image(const std::string& name) {
  const auto path = state_image_path(name);
  if (file_fact(path).kind != FileFact::Kind::file) return;
  std::vector<InternalSnapshot> left;
  try {
    left = read_internal_snapshots(path);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
    // Cut off while it was made: nothing is in it.
  }
  if (left.empty()) {
    std::error_code ignored;
    if (!memory_needed(name)) std::filesystem::remove(path, ignored);
    return;
  }
  free_leaks(path);
  // Memory that was being saved lies in the image itself until its snapshot is made: going back to
  // any snapshot lets go of it.
  take_up_internal_snapshot(path, left.back().tag);
}

LiveSnapshots::LiveSnapshots(const LiveRecord& live) : live_(live), socket_(live, socket_patience) {
  nodes_ = written_nodes(socket_.client().execute("query-block"), live_.plan);
}

std::string LiveSnapshots::state() {
  return socket_.client().execute("query-status").at("status").get<std::string>();
}

std::vector<Blocker> LiveSnapshots::blockers(bool disks_only) {
  std::vector<std::string> reasons;
  if (!disks_only) {
    const auto migration = socket_.client().execute("query-migrate");
    if (migration.contains("blocked-reasons"))
      reasons = migration.at("blocked-reasons").get<std::vector<std::string>>();
  }
  return find_blockers(nodes_, reasons, live_.plan);
}

void LiveSnapshots::attach_state_image() {
  auto& client = socket_.client();
  if (has_node(client, state_node)) return;
  const auto path = state_image_path(live_.name);
  std::vector<InternalSnapshot> there;
  bool readable = true;
  try {
    there = read_internal_snapshots(path);
    readable = !there.empty() || file_fact(path).format == "qcow2";
  } catch (const Error&) {
    readable = false;
  }
  if (!readable && file_fact(path).kind == FileFact::Kind::file && memory_needed(live_.name))
    throw Error("the memory of this VM's snapshots cannot be read: " + in_backticks(path))
        .help("`qlaunch disk check " + shell_quote(path) + "` looks what is wrong with it");
  const bool file_there = has_node(client, "state-file");
  if (there.empty()) {
    if (file_there) client.execute("blockdev-del", {{"node-name", "state-file"}});
    make_state_image(client, path);
  } else if (!file_there) {
    add_file_node(client, "state-file", path);
  }
  client.execute("blockdev-add", {{"driver", "qcow2"},
                                  {"node-name", state_node},
                                  {"file", "state-file"},
                                  {"discard", "unmap"}});
}

bool LiveSnapshots::detach_state_image() {
  auto& client = socket_.client();
  if (!has_node(client, state_node)) return false;
  client.execute("blockdev-del", {{"node-name", state_node}});
  client.execute("blockdev-del", {{"node-name", "state-file"}});
  return true;
}

std::uint64_t LiveSnapshots::expected_size() const {
  const auto usage = process_usage(live_.qemu);
  const auto memory = live_.plan.memory + 16 * mib;
  return usage && usage->resident > 0 ? std::min(memory, usage->resident) : memory;
}

void LiveSnapshots::save(const std::string& tag, const std::string& job, const Percent& percent) {
  Json devices = Json::array({state_node});
  for (const auto& node : nodes_) devices.push_back(node.node);
  const auto expected = expected_size();
  qmp::JobOptions options;
  options.start = long_patience(live_.plan.memory);
  options.deadline = long_patience(live_.plan.memory);
  const FileGrowth growth(state_image_path(live_.name), expected, percent);
  socket_.client().run_job(
      "snapshot-save",
      {{"job-id", job}, {"tag", tag}, {"vmstate", state_node}, {"devices", devices}}, options);
}

void LiveSnapshots::save_disks(const std::string& tag) {
  auto actions = Json::array();
  for (const auto& node : nodes_)
    actions.push_back({{"type", "blockdev-snapshot-internal-sync"},
                       {"data", {{"device", node.node}, {"name", tag}}}});
  socket_.client().execute("transaction", {{"actions", actions}}, std::chrono::minutes(2));
}

void LiveSnapshots::load(const std::string& tag, const std::string& job) {
  Json devices = Json::array({state_node});
  for (const auto& node : nodes_) devices.push_back(node.node);
  qmp::JobOptions options;
  options.start = long_patience(live_.plan.memory);
  options.deadline = long_patience(live_.plan.memory);
  options.dismiss = false;
  socket_.client().run_job(
      "snapshot-load",
      {{"job-id", job}, {"tag", tag}, {"vmstate", state_node}, {"devices", devices}}, options);
}

void LiveSnapshots::remove(const std::string& tag, const std::vector<std::string>& nodes) {
  auto& client = socket_.client();
  qmp::JobOptions options;
  options.start = long_patience(live_.plan.memory);
  client.run_job("snapshot-delete",
                 {{"job-id", job_name("delete")}, {"tag", tag}, {"devices", nodes}}, options);
}

void LiveSnapshots::go_on() {
  if (state() != "running") socket_.client().execute("cont");
}

void LiveSnapshots::hold() {
  socket_.client().execute("stop");
}

void LiveSnapshots::wake_from_the_dead() {
  const auto now = state();
  if (now != "shutdown" && now != "internal-error") return;
  auto& client = socket_.client();
  client.discard_events();
  client.execute("system_reset");
  client.wait_event({"RESET"}, reset_patience);
}

std::optional<std::string> LiveSnapshots::outcome(const std::string& job) {
  for (const auto& each : socket_.client().execute("query-jobs")) {
    if (each.value("id", "") == job) return each.value("error", "");
  }
  return std::nullopt;
}

void LiveSnapshots::forget_jobs() {
  auto& client = socket_.client();
  for (const auto& job : client.execute("query-jobs")) {
    const auto id = job.value("id", "");
    if (!id.starts_with(job_prefix) || job.value("status", "") != "concluded") continue;
    client.execute("job-dismiss", {{"id", id}});
  }
}

bool LiveSnapshots::await_agent() {
  constexpr auto patience = std::chrono::seconds(5);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!agent()) {
    if (!socket_.client().wait_event({"VSERPORT_CHANGE"}, deadline)) return agent();
  }
  return true;
}

void LiveSnapshots::refuse_migration() {
  constexpr std::array<std::string_view, 6> under_way{
      "setup", "active", "device", "cancelling", "pre-switchover", "postcopy-active"};
  constexpr std::array<std::string_view, 3> elsewhere{"inmigrate", "postmigrate", "finish-migrate"};
  const auto status = socket_.client().execute("query-migrate").value("status", "");
  const auto now = state();
  if (std::find(under_way.begin(), under_way.end(), status) == under_way.end() &&
      std::find(elsewhere.begin(), elsewhere.end(), now) == elsewhere.end())
    return;
  throw StateError("VM " + in_backticks(live_.name) +
                   " is just being suspended, or goes on from having been")
      .help("try again when that is done");
}

bool LiveSnapshots::agent() {
  return agent_listens(socket_.client());
}

}  // namespace qlaunch
