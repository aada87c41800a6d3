// SPDX-License-Identifier: MIT
#include "vm/forward.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/ports.hpp"
#include "vm/auto_ports.hpp"
#include "vm/forward_table.hpp"
#include "vm/live.hpp"
#include "vm/ports.hpp"
#include "vm/ssh_forwards.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

std::string word_of(Protocol protocol) {
  return protocol == Protocol::udp ? "udp" : "tcp";
}

/// Who holds the port, in the words of a start.
void check_free(const std::string& network, const Forward& forward) {
  Plan plan;
  plan.forwards = {{network, forward, {}}};
  check_ports(plan);
}

void check_conflict(const std::vector<PlannedForward>& all, const Forward& wanted) {
  for (const auto& planned : all) {
    if (same_end(planned.forward, wanted))
      throw Error("this VM forwards " + in_backticks(host_end(wanted)) + " already, to port " +
                  std::to_string(planned.forward.guest_port) + " of the guest")
          .help("`qlaunch forward remove` takes it away");
  }
}

/// The ports that have appeared by themselves are to be `forwards` no more: one that was added is
/// the user's now, one that was removed stays away.
void take_from_auto(const ForwardTable& table, const std::vector<PlannedForward>& forwards,
                    bool removed) {
  auto ports = read_auto_ports(table.live());
  const auto before = ports;
  const auto meant = [&](const AutoPort& port) {
    return port.state == AutoPort::State::there &&
           std::any_of(forwards.begin(), forwards.end(), [&](const auto& each) {
             return same_end(each.forward, planned_forward(port, each.network).forward);
           });
  };
  if (removed) {
    for (auto& port : ports.ports) {
      if (meant(port)) port.state = AutoPort::State::removed;
    }
  } else {
    std::erase_if(ports.ports, meant);
  }
  if (!(ports == before)) write_auto_ports(table.live(), ports);
}

/// QEMU's, those that appeared by themselves known as such, and those that ssh carries.
std::vector<PlannedForward> with_auto(const ForwardTable& table) {
  auto all = table.forwards();
  for (auto& automatic : auto_forwards(table.live())) {
    const auto same = std::find_if(all.begin(), all.end(), [&](const auto& each) {
      return same_end(each.forward, automatic.forward);
    });
    if (same != all.end()) {
      *same = std::move(automatic);
    } else if (automatic.by_ssh) {
      all.push_back(std::move(automatic));
    }
  }
  return all;
}

}  // namespace

std::vector<PlannedForward> list_forwards(const std::string& name) {
  return with_auto(ForwardTable(require_running(name)));
}

std::vector<PlannedForward> add_forwards(const std::string& name,
                                         const std::vector<Forward>& forwards,
                                         const std::string& network) {
  ForwardTable table(require_running(name));
  const auto netdev = table.network(network);
  std::vector<PlannedForward> added, result;
  try {
    for (const auto& forward : forwards) {
      const auto all = table.forwards();
      const auto there = std::find_if(all.begin(), all.end(), [&](const auto& planned) {
        return planned.network == netdev && planned.forward == forward;
      });
      if (there != all.end()) {
        result.push_back(*there);
        continue;
      }
      if (forward.host_port != 0) {
        check_conflict(all, forward);
        check_free(netdev, forward);
      }
      added.push_back(table.add(netdev, forward));
      result.push_back(added.back());
    }
  } catch (...) {
    for (const auto& planned : added) table.remove(planned);
    throw;
  }
  take_from_auto(table, result, false);
  if (!result.empty()) table.write_down();
  return result;
}

std::vector<HostEnd> parse_host_ends(const std::string& text) {
  const auto wrong = [&] {
    return UsageError(in_backticks(text) + " names no port of the host")
        .help(
            "write the host's port as in 2223, udp:5353 or 127.0.0.1:8000-8010, or the whole "
            "forward");
  };
  HostEnd model;
  std::vector<std::string> fields = split(text, ':');
  if (fields.front() == "tcp" || fields.front() == "udp") {
    if (fields.front() == "udp") model.protocol = Protocol::udp;
    fields.erase(fields.begin());
  }
  if (!fields.empty() && fields.front().find('.') != std::string::npos) {
    model.address = fields.front();
    fields.erase(fields.begin());
  }
  // What may follow is the guest's port, which says nothing more.
  if (fields.empty() || fields.size() > 2) throw wrong();
  const auto ports = parse_ports(fields.front());
  if (ports.problem) throw wrong();
  std::vector<HostEnd> ends;
  for (unsigned port = ports.range.first; port <= ports.range.last; ++port) {
    ends.push_back(model);
    ends.back().port = static_cast<std::uint16_t>(port);
  }
  return ends;
}

std::vector<PlannedForward> remove_forwards(const std::string& name,
                                            const std::vector<HostEnd>& ends) {
  ForwardTable table(require_running(name));
  const auto all = with_auto(table);
  std::vector<PlannedForward> found;
  for (const auto& end : ends) {
    const auto match = std::find_if(all.begin(), all.end(), [&](const auto& planned) {
      return planned.forward.protocol == end.protocol && planned.forward.host_port == end.port &&
             (end.address.empty() || planned.forward.host_address == end.address);
    });
    if (match == all.end()) {
      StateError error("VM " + in_backticks(name) + " forwards no " + word_of(end.protocol) +
                       " port " + (end.address.empty() ? "" : end.address + ':') +
                       std::to_string(end.port));
      error.help("`qlaunch forward list " + shell_quote(name) + "` shows those it has");
      throw error;
    }
    found.push_back(*match);
  }
  SshForwards ssh(table.live());
  for (const auto& planned : found) {
    const auto& forward = planned.forward;
    if (planned.by_ssh) {
      ssh.remove({forward.protocol, planned.listener, forward.guest_port, 0}, forward.host_port);
    } else {
      table.remove(planned);
    }
  }
  take_from_auto(table, found, true);
  table.write_down();
  return found;
}

}  // namespace qlaunch
