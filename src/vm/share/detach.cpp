// SPDX-License-Identifier: MIT
#include "vm/share/detach.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "qmp/guest.hpp"
#include "qmp/message.hpp"
#include "vm/agent_socket.hpp"
#include "vm/process_json.hpp"
#include "vm/share/guest_mounts.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto agent_patience = std::chrono::seconds(10);
constexpr auto command_patience = std::chrono::seconds(20);
/// A guest takes a device out, and finds one, within a second; a busy one later.
constexpr auto plug_patience = std::chrono::seconds(20);
constexpr auto mount_patience = std::chrono::seconds(20);

std::string record_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/detached-shares.json";
}

Json to_json(const std::vector<DetachedShare>& shares) {
  auto out = Json::array();
  for (const auto& share : shares) {
    auto mounts = Json::array();
    for (const auto& mount : share.mounts)
      mounts.push_back({{"target", mount.target}, {"options", mount.options}});
    out.push_back({{"tag", share.tag},
                   {"virtiofs", share.virtiofs},
                   {"id", share.id},
                   {"device", share.device},
                   {"mounts", mounts}});
  }
  return out;
}

std::vector<DetachedShare> from_json(const Json& json) {
  std::vector<DetachedShare> out;
  for (const auto& one : json) {
    DetachedShare share{one.at("tag"), one.at("virtiofs"), one.at("id"), one.at("device"), {}};
    for (const auto& mount : one.at("mounts"))
      share.mounts.push_back({mount.at("target"), mount.at("options")});
    out.push_back(std::move(share));
  }
  return out;
}

/// What has to be given back to which QEMU, and who is at it.
struct Remembered {
  ProcessId process, qemu;
  std::vector<DetachedShare> shares;
};

void remember(const LiveRecord& live, const std::vector<DetachedShare>& shares) {
  const Json json = {{"process", process_to_json(identify(getpid()).value_or(ProcessId{}))},
                     {"qemu", process_to_json(live.qemu)},
                     {"shares", to_json(shares)}};
  write_file_atomic(record_path(live.name),
                    json.dump(-1, ' ', false, Json::error_handler_t::replace), 0600,
                    Durability::quick);
}

std::optional<Remembered> read_remembered(const std::string& name) {
  const auto text = try_read_file(record_path(name));
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    return Remembered{process_from_json(json.at("process")), process_from_json(json.at("qemu")),
                      from_json(json.at("shares"))};
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

void forget(const std::string& name) {
  remove_tree(record_path(name));
}

/// The guest, asked by short lines for its shell.
class ShareGuest {
 public:
  explicit ShareGuest(const LiveRecord& live) : socket_(live, agent_patience, patience()) {}

  qmp::ExecResult run(const std::string& line, std::vector<std::string> words) {
    qmp::ExecRequest request;
    request.path = "/bin/sh";
    request.arguments = {"-c", "PATH=$PATH:/run/current-system/sw/bin:/usr/sbin:/sbin; " + line,
                         "qlaunch"};
    request.arguments.insert(request.arguments.end(), words.begin(), words.end());
    return socket_.agent().exec(request, command_patience);
  }
  std::vector<GuestMount> mounts() {
    return parse_mountinfo(run("cat /proc/self/mountinfo", {}).out);
  }

 private:
  static qmp::AgentOptions patience() {
    qmp::AgentOptions options;
    options.reply = agent_patience;
    return options;
  }

  AgentSocket socket_;
};

bool shows(const GuestMount& mount, const DetachedShare& share) {
  return mount.source == share.tag && mount.type == (share.virtiofs ? "virtiofs" : "9p");
}

std::string said(const qmp::ExecResult& result) {
  return std::string(trim(result.err.empty() ? result.out : result.err));
}

/// Who keeps a mount busy, in words.
std::string who_uses(ShareGuest& guest, const std::string& target,
                     const std::vector<GuestMount>& mounts) {
  std::vector<std::string> out;
  for (const auto& mount : mounts) {
    if (mount.target.starts_with(target + '/'))
      out.push_back("the mount on " + in_backticks(mount.target));
    else if (mount.type == "overlay" && mount.options.find(target) != std::string::npos)
      out.push_back("the overlay on " + in_backticks(mount.target));
  }
  const auto listing =
      guest.run("ls -l /proc/[0-9]*/cwd /proc/[0-9]*/root /proc/[0-9]*/exe /proc/[0-9]*/fd", {});
  for (const auto& user : users_of(listing.out, target)) {
    const auto pid = std::to_string(user.pid);
    const auto name = trim(guest.run("cat /proc/" + pid + "/comm", {}).out);
    out.push_back(std::string(name) + " (pid " + pid + "), by " + in_backticks(user.path));
  }
  return enumerate(out);
}

void mount_again(ShareGuest& guest, const DetachedShare& share) {
  const auto there = guest.mounts();
  for (const auto& mount : share.mounts) {
    const bool mounted = std::any_of(there.begin(), there.end(), [&](const auto& each) {
      return shows(each, share) && each.target == mount.target;
    });
    if (mounted) continue;
    const auto deadline = Clock::now() + mount_patience;
    for (;;) {
      const auto done =
          guest.run("mkdir -p \"$3\"; mount -t \"$1\" -o \"$4\" \"$2\" \"$3\"",
                    {share.virtiofs ? "virtiofs" : "9p", share.tag, mount.target, mount.options});
      if (done.code == 0) break;
      // The guest may not have found the device yet.
      if (Clock::now() >= deadline)
        throw Error("the guest does not mount share " + in_backticks(share.tag) + " on " +
                    in_backticks(mount.target) + " again: " + said(done));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
}

bool has_device(qmp::SyncClient& client, const std::string& id) {
  for (const auto& each : client.execute("qom-list", {{"path", "/machine/peripheral"}}))
    if (each.value("name", "") == id) return true;
  return false;
}

void unplug(qmp::SyncClient& client, const DetachedShare& share) {
  if (!has_device(client, share.id)) return;
  client.discard_events();
  client.execute("device_del", {{"id", share.id}});
  const auto gone = client.wait_event_if(
      [&](const qmp::Event& event) {
        return event.name == "DEVICE_DELETED" && event.data.value("device", "") == share.id;
      },
      plug_patience);
  if (!gone && has_device(client, share.id))
    throw Error("the guest does not let go of the device of share " + in_backticks(share.tag))
        .help("its kernel needs hot-plug of PCI devices");
}

void plug_in(qmp::SyncClient& client, const DetachedShare& share) {
  if (!share.virtiofs || has_device(client, share.id)) return;
  try {
    client.execute("device_add", Json::parse(share.device));
  } catch (const qmp::Refused& refused) {
    throw Error("QEMU does not plug in share " + in_backticks(share.tag) +
                " again: " + refused.desc());
  }
}

std::vector<std::string> blocked_reasons(qmp::SyncClient& client) {
  const auto migration = client.execute("query-migrate");
  if (!migration.contains("blocked-reasons")) return {};
  return migration.at("blocked-reasons").get<std::vector<std::string>>();
}

bool blocks(const PlannedShare& share, const std::vector<std::string>& reasons) {
  return std::any_of(reasons.begin(), reasons.end(), [&](const std::string& reason) {
    if (share.virtiofs) return reason.find("vhost-user-fs") != std::string::npos;
    return reason.find("VirtFS") != std::string::npos &&
           reason.find('\'' + share.tag + '\'') != std::string::npos;
  });
}

/// Of those that stand in the way, with the mounts that the guest has of them.
std::vector<DetachedShare> to_detach(const LiveRecord& live, qmp::SyncClient& client, bool all) {
  std::vector<DetachedShare> out;
  const auto reasons = blocked_reasons(client);
  for (const auto& share : live.plan.shares) {
    if (!blocks(share, reasons)) continue;
    // One that stays would make it all in vain.
    if (!all && !share.detach) return {};
    out.push_back({share.tag, share.virtiofs, share.id, share.device, {}});
  }
  return out;
}

void note_mounts(const std::vector<GuestMount>& mounts, std::vector<DetachedShare>& shares) {
  for (auto& share : shares) {
    for (const auto& mount : mounts) {
      if (!shows(mount, share)) continue;
      if (mount.root != "/")
        throw StateError("the guest shows a part of share " + in_backticks(share.tag) + " on " +
                         in_backticks(mount.target) + ", which could not be put back")
            .help("unmount that in the guest first");
      share.mounts.push_back({mount.target, mount.options});
    }
  }
}

void unmount_all(ShareGuest& guest, const std::vector<DetachedShare>& shares,
                 const std::vector<GuestMount>& mounts) {
  for (const auto& share : shares) {
    for (auto mount = share.mounts.rbegin(); mount != share.mounts.rend(); ++mount) {
      const auto done = guest.run("umount \"$1\"", {mount->target});
      if (done.code == 0) continue;
      const auto users = who_uses(guest, mount->target, mounts);
      for (const auto& each : shares) mount_again(guest, each);
      throw StateError("the guest does not unmount share " + in_backticks(share.tag) + " from " +
                       in_backticks(mount->target) +
                       (users.empty() ? ": " + said(done) : ": it is used by " + users))
          .help("end that in the guest, and try again");
    }
  }
}

Error no_agent(const LiveRecord& live, const std::string& why) {
  return StateError("the shares of VM " + in_backticks(live.name) + " cannot be detached: " + why)
      .help("unmount them in the guest; a virtiofs share has to be unplugged by its agent's help");
}

}  // namespace

std::string detached_to_json(const std::vector<DetachedShare>& shares) {
  return to_json(shares).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<DetachedShare> detached_from_json(const std::string& text) {
  try {
    return text.empty() ? std::vector<DetachedShare>() : from_json(Json::parse(text));
  } catch (const Json::exception& error) {
    throw Error("what is kept about detached shares is damaged: " + std::string(error.what()));
  }
}

bool shares_block(qmp::SyncClient& client) {
  const auto reasons = blocked_reasons(client);
  return std::any_of(reasons.begin(), reasons.end(), [](const std::string& reason) {
    return reason.find("vhost-user-fs") != std::string::npos ||
           reason.find("VirtFS") != std::string::npos;
  });
}

std::vector<DetachedShare> detach_shares(const LiveRecord& live, qmp::SyncClient& client,
                                         bool all) {
  auto shares = to_detach(live, client, all);
  if (shares.empty()) return shares;
  const auto state = client.execute("query-status").value("status", "");
  if (state != "running")
    throw no_agent(live, "its guest stands still and cannot unmount anything");
  try {
    ShareGuest guest(live);
    const auto mounts = guest.mounts();
    note_mounts(mounts, shares);
    remember(live, shares);
    try {
      unmount_all(guest, shares, mounts);
    } catch (...) {
      forget(live.name);
      throw;
    }
  } catch (const qmp::Gone&) {
    throw;
  } catch (const qmp::Error& error) {
    throw no_agent(live, error.what());
  }
  at_step("shares-unmounted");
  try {
    for (const auto& share : shares) {
      if (share.virtiofs) unplug(client, share);
    }
  } catch (const Error&) {
    attach_shares(live, client, shares);
    throw;
  }
  at_step("shares-unplugged");
  return shares;
}

void drop_shares(const LiveRecord& live, qmp::SyncClient& client,
                 const std::vector<DetachedShare>& shares) {
  std::vector<DetachedShare> there;
  for (const auto& share : shares) {
    if (share.virtiofs && has_device(client, share.id)) there.push_back(share);
  }
  remember(live, shares);
  if (there.empty()) return;
  try {
    ShareGuest guest(live);
    for (const auto& mount : guest.mounts()) {
      for (const auto& share : there) {
        if (shows(mount, share)) guest.run("umount -l \"$1\"", {mount.target});
      }
    }
  } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
    // The device may be taken out all the same.
  }
  for (const auto& share : there) unplug(client, share);
}

void attach_shares(const LiveRecord& live, qmp::SyncClient& client,
                   const std::vector<DetachedShare>& shares) {
  if (shares.empty()) return;
  remember(live, shares);
  for (const auto& share : shares) plug_in(client, share);
  at_step("shares-plugged");
  const bool mounts = std::any_of(shares.begin(), shares.end(),
                                  [](const auto& share) { return !share.mounts.empty(); });
  // A guest that stands still mounts nothing: it is done once it runs.
  if (mounts && client.execute("query-status").value("status", "") != "running") return;
  if (mounts) {
    try {
      ShareGuest guest(live);
      for (const auto& share : shares) mount_again(guest, share);
    } catch (const qmp::Gone&) {
      throw;
    } catch (const qmp::Error& error) {
      throw Error("the guest does not mount its shares again: " + std::string(error.what()))
          .help("the next command of qlaunch tries it again");
    }
  }
  forget(live.name);
}

void put_back_shares(const LiveRecord& live) {
  if (!read_remembered(live.name)) return;
  CommandSocket socket(live);
  put_back_shares(live, socket.client());
}

void put_back_shares(const LiveRecord& live, qmp::SyncClient& client) {
  const auto left = read_remembered(live.name);
  if (!left) return;
  if (left->qemu != live.qemu) return forget(live.name);
  const bool mine = left->process == identify(getpid()).value_or(ProcessId{});
  if (!mine && alive(left->process)) return;
  attach_shares(live, client, left->shares);
}

std::string shares_left_out(const std::string& name) {
  const auto left = read_remembered(name);
  if (!left || alive(left->process)) return {};
  std::vector<std::string> tags;
  for (const auto& share : left->shares) tags.push_back(in_backticks(share.tag));
  return (tags.size() == 1 ? "share " : "shares ") + enumerate(tags);
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
