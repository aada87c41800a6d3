// SPDX-License-Identifier: MIT
#include "vm/share/detach.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "qmp/guest.hpp"
#include "qmp/message.hpp"
#include "vm/agent_socket.hpp"
#include "vm/share/guest_mounts.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto agent_patience = std::chrono::seconds(10);
constexpr auto command_patience = std::chrono::seconds(20);
/// A guest takes a device out, and finds one, within a second; a busy one later.
constexpr auto plug_patience = std::chrono::seconds(20);
/// For one that took too long already: the next command looks again.
constexpr auto unmount_patience = std::chrono::seconds(2);
constexpr auto mount_patience = std::chrono::seconds(20);

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
std::string who_uses(ShareGuest& guest, const std::string& target) {
  std::vector<std::string> out;
  for (const auto& mount : guest.mounts()) {
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

struct OneMount {
  const DetachedShare* share;
  const DetachedShare::Mount* mount;
};

/// Of all shares, as they were made.
std::vector<OneMount> mounts_in_order(const std::vector<DetachedShare>& shares) {
  std::vector<OneMount> out;
  for (const auto& share : shares) {
    for (const auto& mount : share.mounts) out.push_back({&share, &mount});
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& one, const auto& other) {
    return one.mount->order < other.mount->order;
  });
  return out;
}

/// One that took too long goes on in the guest, and would take away what is there just now.
void await_unmounts(ShareGuest& guest) {
  const auto deadline = Clock::now() + unmount_patience;
  while (guest.run("grep -qx umount /proc/[0-9]*/comm 2>/dev/null", {}).code == 0) {
    if (Clock::now() >= deadline) throw Error("the guest is still unmounting");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

/// Takes off what shows these shares, whoever uses it; what is left then.
std::vector<GuestMount> cut_off(ShareGuest& guest, const std::vector<DetachedShare>& shares) {
  auto mounts = guest.mounts();
  std::erase_if(mounts, [&](const GuestMount& mount) {
    const bool shown = std::any_of(shares.begin(), shares.end(),
                                   [&](const auto& share) { return shows(mount, share); });
    if (shown) guest.run("umount -l \"$1\"", {mount.target});
    return shown;
  });
  return mounts;
}

/// `fresh`: those whose device is new; a mount of them is one of a device that is gone.
void mount_again(ShareGuest& guest, const std::vector<DetachedShare>& shares,
                 const std::vector<DetachedShare>& fresh) {
  await_unmounts(guest);
  const auto there = cut_off(guest, fresh);
  for (const auto& [share, mount] : mounts_in_order(shares)) {
    const bool mounted = std::any_of(there.begin(), there.end(),
                                     [&, share = share, mount = mount](const auto& each) {
                                       return shows(each, *share) && each.target == mount->target;
                                     });
    if (mounted) continue;
    const auto deadline = Clock::now() + mount_patience;
    for (;;) {
      const auto done = guest.run(
          "mkdir -p \"$3\"; mount -t \"$1\" -o \"$4\" \"$2\" \"$3\"",
          {share->virtiofs ? "virtiofs" : "9p", share->tag, mount->target, mount->options});
      if (done.code == 0) break;
      // The guest may not have found the device yet.
      if (Clock::now() >= deadline)
        throw Error("the guest does not mount share " + in_backticks(share->tag) + " on " +
                    in_backticks(mount->target) + " again: " + said(done));
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

/// False where there was nothing to do.
bool plug_in(qmp::SyncClient& client, const DetachedShare& share) {
  if (!share.virtiofs || has_device(client, share.id)) return false;
  try {
    client.execute("device_add", Json::parse(share.device));
    return true;
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
    long order = 0;
    for (const auto& mount : mounts) {
      ++order;
      if (!shows(mount, share)) continue;
      if (mount.root != "/")
        throw StateError("the guest shows a part of share " + in_backticks(share.tag) + " on " +
                         in_backticks(mount.target) + ", which could not be put back")
            .help("unmount that in the guest first");
      share.mounts.push_back({mount.target, mount.options, order});
    }
  }
}

/// Where this throws, some may be unmounted.
void unmount_all(ShareGuest& guest, const std::vector<DetachedShare>& shares) {
  auto order = mounts_in_order(shares);
  std::reverse(order.begin(), order.end());
  for (const auto& [share, mount] : order) {
    const auto done = guest.run("umount \"$1\"", {mount->target});
    if (done.code == 0) continue;
    const auto users = who_uses(guest, mount->target);
    throw StateError("the guest does not unmount share " + in_backticks(share->tag) + " from " +
                     in_backticks(mount->target) +
                     (users.empty() ? ": " + said(done) : ": it is used by " + users))
        .help("end that in the guest, and try again");
  }
}

Error no_agent(const LiveRecord& live, const std::string& why) {
  return StateError("the shares of VM " + in_backticks(live.name) + " cannot be detached: " + why)
      .help("unmount them in the guest; a virtiofs share has to be unplugged by its agent's help");
}

void take_from_guest(const LiveRecord& live, std::vector<DetachedShare>& shares) {
  try {
    ShareGuest guest(live);
    note_mounts(guest.mounts(), shares);
    remember_shares(live, shares);
    unmount_all(guest, shares);
  } catch (const qmp::Gone&) {
    throw;
  } catch (const qmp::Error& error) {
    throw no_agent(live, error.what());
  }
}

/// Throws where it does not answer.
void ask_agent(const LiveRecord& live, Duration patience) {
  qmp::AgentOptions options;
  options.reply = patience;
  AgentSocket(live, patience, options).agent().ping();
}

/// The failure that led here is the news. What the guest does not take now stays remembered.
void give_back_quietly(const LiveRecord& live, qmp::SyncClient& client) {
  try {
    put_back_shares(live, client);
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
  }
}

}  // namespace

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
    take_from_guest(live, shares);
    at_step("shares-unmounted");
    for (const auto& share : shares) {
      if (share.virtiofs) unplug(client, share);
    }
  } catch (const qmp::Gone&) {
    throw;
  } catch (const std::exception&) {
    give_back_quietly(live, client);
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
  remember_shares(live, shares);
  if (there.empty()) return;
  try {
    ShareGuest guest(live);
    cut_off(guest, there);
  } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
    // The device may be taken out all the same.
  }
  for (const auto& share : there) unplug(client, share);
}

bool lets_go_of_shares(const LiveRecord& live, qmp::SyncClient& client,
                       const std::vector<DetachedShare>& shares) {
  const bool plugged = std::any_of(shares.begin(), shares.end(), [&](const auto& share) {
    return share.virtiofs && has_device(client, share.id);
  });
  if (!plugged) return true;
  if (client.execute("query-status").value("status", "") != "running") return false;
  try {
    ask_agent(live, agent_patience);
    return true;
  } catch (const qmp::Gone&) {
    throw;
  } catch (const std::exception&) {
    return false;
  }
}

void attach_shares(const LiveRecord& live, qmp::SyncClient& client,
                   const std::vector<DetachedShare>& shares) {
  if (shares.empty()) return;
  remember_shares(live, shares);
  std::vector<DetachedShare> fresh;
  for (const auto& share : shares) {
    if (plug_in(client, share)) fresh.push_back(share);
  }
  at_step("shares-plugged");
  const bool mounts = std::any_of(shares.begin(), shares.end(),
                                  [](const auto& share) { return !share.mounts.empty(); });
  // A guest that stands still mounts nothing: it is done once it runs.
  if (mounts && client.execute("query-status").value("status", "") != "running") return;
  if (mounts) {
    try {
      ShareGuest guest(live);
      mount_again(guest, shares, fresh);
    } catch (const qmp::Gone&) {
      throw;
    } catch (const qmp::Error& error) {
      throw Error("the guest does not mount its shares again: " + std::string(error.what()))
          .help("the next command of qlaunch tries it again");
    }
  }
  forget_shares(live.name);
}

void put_back_shares(const LiveRecord& live, Duration patience) {
  const auto left = remembered_shares(live.name);
  if (!left) return;
  // Others need QEMU while a silent agent is listened for.
  if (left->qemu == live.qemu && !others_at_work(*left)) {
    ask_agent(live, patience);
  }
  CommandSocket socket(live);
  put_back_shares(live, socket.client());
}

void put_back_shares(const LiveRecord& live, qmp::SyncClient& client) {
  const auto left = remembered_shares(live.name);
  if (!left) return;
  if (left->qemu != live.qemu) return forget_shares(live.name);
  if (others_at_work(*left)) return;
  attach_shares(live, client, left->shares);
}

}  // namespace qlaunch
