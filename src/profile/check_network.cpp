// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "profile/check.hpp"
#include "profile/ports.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <optional>

namespace qlaunch {
namespace {

std::string_view mode_name(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::user:
      return "user";
    case NetworkMode::bridge:
      return "bridge";
    case NetworkMode::tap:
      return "tap";
    case NetworkMode::socket:
      return "socket";
    case NetworkMode::none:
      break;
  }
  return "none";
}

void check_mode(Checker& checker, const Network& network, const std::string& at) {
  const auto mode = "in mode \"" + std::string(mode_name(network.mode)) + '"';
  if (network.mode != NetworkMode::user) {
    // An empty list takes away what a base forwards.
    std::vector<std::string> given;
    if (!network.forward.empty()) given.emplace_back("forward");
    if (!network.auto_forward.empty()) given.emplace_back("auto_forward");
    if (checker.is_set(at + ".auto_forward_taken")) given.emplace_back("auto_forward_taken");
    checker.useless(at, given, mode,
                    network.mode == NetworkMode::none
                        ? "remove it, or write mode = \"user\""
                        : "the guest has an address of its own there; or write mode = \"user\"");
    checker.useless(at, {"restrict", "hostname", "domain", "dns", "subnet"}, mode,
                    "it is told by QEMU's user network: remove it, or write mode = \"user\"");
  }
  if (network.mode != NetworkMode::bridge)
    checker.useless(at, {"bridge"}, mode, "write mode = \"bridge\", or remove it");
  if (network.mode != NetworkMode::tap)
    checker.useless(at, {"tap"}, mode, "write mode = \"tap\", or remove it");
  if (network.mode != NetworkMode::socket)
    checker.useless(at, {"listen", "connect", "multicast"}, mode,
                    "write mode = \"socket\", or remove it");
  if (network.mode == NetworkMode::none) checker.useless(at, {"mac", "model"}, mode, "remove it");

  if (network.mode == NetworkMode::bridge && !checker.is_set(at + ".bridge"))
    checker.error(at + ".mode", "mode \"bridge\" needs the name of a bridge",
                  "add a line such as: bridge = \"virbr0\"");
  if (network.mode == NetworkMode::tap && !checker.is_set(at + ".tap"))
    checker.error(at + ".mode", "mode \"tap\" needs the name of an interface",
                  "add a line such as: tap = \"tap0\"");
  if (network.mode == NetworkMode::socket) {
    std::vector<std::string> given;
    for (const std::string key : {"listen", "connect", "multicast"}) {
      if (checker.is_set(at + '.' + key)) given.push_back(key);
    }
    if (given.empty())
      checker.error(at + ".mode", "mode \"socket\" needs the other end of the cable",
                    "add `listen` on one VM and `connect` on the other, or `multicast` on all");
    if (given.size() > 1)
      checker.clash(at + '.' + given[1],
                    in_backticks(given[1]) + " stands beside " + in_backticks(given[0]),
                    at + '.' + given[0], "the other one",
                    "a cable has one end here: keep one of `listen`, `connect` and `multicast`");
  }
}

bool same_listener(const Forward& left, const Forward& right) {
  const bool anywhere = left.host_address == "0.0.0.0" || right.host_address == "0.0.0.0";
  return left.host_port != 0 && left.host_port == right.host_port &&
         left.protocol == right.protocol && (anywhere || left.host_address == right.host_address);
}

/// All forwards of all networks share the host's ports.
void check_forwards(Checker& checker) {
  struct Seen {
    const Forward* forward;
    std::string at;
  };
  // By port, as a range is a thousand forwards at most and there may be several.
  std::multimap<std::uint16_t, Seen> seen;
  std::string reported;
  const auto& networks = checker.profile().networks;
  for (std::size_t index = 0; index < networks.size(); ++index) {
    if (networks[index].mode != NetworkMode::user) continue;
    for (std::size_t each = 0; each < networks[index].forward.size(); ++each) {
      const auto& forward = networks[index].forward[each];
      const auto at = indexed(indexed("network", index) + ".forward", each);
      if (forward.host_port == 0) continue;
      const auto [from, to] = seen.equal_range(forward.host_port);
      for (auto other = from; other != to; ++other) {
        if (!same_listener(*other->second.forward, forward)) continue;
        // One finding for a whole range.
        const auto pair = checker.where(at).text() + ' ' + checker.where(other->second.at).text();
        if (pair != reported)
          checker.clash(at,
                        "port " + forward.host_address + ':' + std::to_string(forward.host_port) +
                            (forward.protocol == Protocol::udp ? " (udp)" : "") +
                            " is forwarded twice",
                        other->second.at, "first here",
                        "give one of them another host port, or \"auto:" +
                            std::to_string(forward.guest_port) + '"');
        reported = pair;
        break;
      }
      seen.emplace(forward.host_port, Seen{&forward, at});
    }
  }
}

/// The ports of the host that a rule names, as it is written with another number than the guest's.
bool names_host_ports(const AutoForward& rule) {
  return !rule.ignore && rule.host_first != 0 && rule.host_first != rule.guest.first;
}

unsigned host_last(const AutoForward& rule) {
  return rule.host_first + unsigned{rule.guest.last} - rule.guest.first;
}

/// Ports of the host that rules name expressly belong to one port of a guest each. A range that
/// keeps its numbers may meet others: what is taken then is told at run time.
void check_auto_forwards(Checker& checker, const Network& network, const std::string& at) {
  const auto& rules = network.auto_forward;
  const auto key = at + ".auto_forward";
  for (std::size_t index = 0; index < rules.size(); ++index) {
    const auto& rule = rules[index];
    if (!names_host_ports(rule)) continue;
    for (std::size_t other = 0; other < index; ++other) {
      const auto& before = rules[other];
      if (!names_host_ports(before) || before.protocol != rule.protocol ||
          before.host_first > host_last(rule) || rule.host_first > host_last(before))
        continue;
      checker.clash(indexed(key, index), "two rules lead the same ports of the host into the guest",
                    indexed(key, other), "first here", "give one of them other host ports");
      break;
    }
    for (std::size_t each = 0; each < network.forward.size(); ++each) {
      const auto& forward = network.forward[each];
      if (forward.protocol != rule.protocol || forward.host_port < rule.host_first ||
          forward.host_port > host_last(rule))
        continue;
      checker.clash(
          indexed(key, index),
          "port " + std::to_string(forward.host_port) + " of the host is forwarded already",
          indexed(at + ".forward", each), "here", "give one of them another host port");
      break;
    }
  }
  const bool any =
      std::any_of(rules.begin(), rules.end(), [](const auto& rule) { return !rule.ignore; });
  if (!rules.empty() && !any)
    checker.error(key, "`auto_forward` names only what is left out",
                  "add what is wanted, as in [\"1024-65535\", \"!9000\"]");
}

}  // namespace

void check_networks(Checker& checker) {
  const auto& networks = checker.profile().networks;
  std::map<std::string, std::size_t> names;
  std::map<std::string, std::size_t> macs;
  std::optional<std::size_t> automatic;
  for (std::size_t index = 0; index < networks.size(); ++index) {
    const auto& network = networks[index];
    const auto at = indexed("network", index);
    const auto [first, fresh] = names.emplace(network.name, index);
    if (!fresh && !network.name.empty())
      checker.clash(at + ".name", "two networks are named " + in_backticks(network.name),
                    indexed("network", first->second) + ".name", "first here",
                    "give one of them another name");
    if (!network.mac.empty()) {
      const auto [owner, first_use] = macs.emplace(network.mac, index);
      if (!first_use)
        checker.clash(at + ".mac", "two cards have the MAC address " + in_backticks(network.mac),
                      indexed("network", owner->second) + ".mac", "first here",
                      "leave one out to have one made");
    }
    check_mode(checker, network, at);
    check_auto_forwards(checker, network, at);
    if (network.auto_forward.empty() || network.mode != NetworkMode::user) continue;
    if (automatic)
      checker.clash(at + ".auto_forward", "two networks have `auto_forward`",
                    indexed("network", *automatic) + ".auto_forward", "first here",
                    "what listens in the guest is known, but not on which network: keep one");
    automatic = index;
  }
  check_forwards(checker);
}

void check_shares(Checker& checker) {
  const auto& shares = checker.profile().shares;
  std::map<std::string, std::size_t> tags;
  std::map<std::string, std::size_t> mounts;
  for (std::size_t index = 0; index < shares.size(); ++index) {
    const auto& share = shares[index];
    const auto at = indexed("share", index);
    const bool fast = share.driver == ShareDriver::virtiofs;
    const std::size_t most = fast ? 36 : 31;
    if (share.tag.size() > most)
      checker.error(at + ".tag",
                    "the tag is " + std::to_string(share.tag.size()) + " bytes long, and " +
                        (fast ? "virtiofs" : "9p") + " has room for " + std::to_string(most),
                    "shorten it; the guest mounts the share by this tag");
    const auto [first, fresh] = tags.emplace(share.tag, index);
    if (!fresh && !share.tag.empty())
      checker.clash(at + ".tag", "two shares have the tag " + in_backticks(share.tag),
                    indexed("share", first->second) + ".tag", "first here",
                    "give one of them another tag");
    const auto target = share.mount == "same" ? share.path : share.mount;
    if (!target.empty()) {
      const auto [owner, first_use] = mounts.emplace(target, index);
      if (!first_use)
        checker.clash(at + ".mount", "two shares are mounted on " + in_backticks(target),
                      indexed("share", owner->second) + ".mount", "first here",
                      "mount one of them elsewhere");
    }
    if (fast) {
      checker.useless(at, {"security_model", "multidevs"}, "for virtiofs",
                      "remove it, or write driver = \"9p\"");
      const auto queue = static_cast<std::uint64_t>(share.queue_size);
      if (!std::has_single_bit(queue))
        checker.error(at + ".queue_size",
                      "`queue_size` is " + std::to_string(queue) + ", not a power of two",
                      "use " + std::to_string(std::bit_floor(queue)) + " or " +
                          std::to_string(std::bit_ceil(queue)));
    } else {
      checker.useless(at, {"queue_size", "cache", "xattr", "posix_acl"}, "for 9p",
                      "remove it, or write driver = \"virtiofs\"");
    }
  }
}

}  // namespace qlaunch
