// SPDX-License-Identifier: MIT
#include "vm/forward.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/usernet.hpp"
#include "profile/ports.hpp"
#include "vm/live.hpp"
#include "vm/ports.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

std::string word_of(Protocol protocol) {
  return protocol == Protocol::udp ? "udp" : "tcp";
}

/// How the human monitor names the host's end: "tcp:127.0.0.1:2223".
std::string host_end(const Forward& forward) {
  return word_of(forward.protocol) + ':' + forward.host_address + ':' +
         std::to_string(forward.host_port);
}

bool same_end(const Forward& left, const Forward& right) {
  return left.protocol == right.protocol && left.host_address == right.host_address &&
         left.host_port == right.host_port;
}

/// QEMU's table of user networks while the command socket is held.
class Table {
 public:
  explicit Table(const std::string& name) : live_(require_running(name)), socket_(live_) {
    text_ = socket_.client().human_monitor("info usernet");
  }

  std::vector<PlannedForward> forwards() const {
    std::vector<PlannedForward> all;
    for (const auto& line : parse_usernet(text_)) {
      if (line.state != "HOST_FORWARD") continue;
      const auto address = line.host_address == "*" ? "0.0.0.0" : line.host_address;
      all.push_back(
          {line.network, {line.protocol, address, line.host_port, line.guest_port}, Location{}});
    }
    // QEMU has the newest first.
    std::reverse(all.begin(), all.end());
    std::stable_sort(all.begin(), all.end(), [](const auto& left, const auto& right) {
      return left.network < right.network;
    });
    return all;
  }

  /// The network that is meant; throws where there is none.
  std::string network(const std::string& wanted) const {
    const auto networks = parse_usernet_networks(text_);
    if (networks.empty())
      throw StateError("VM " + in_backticks(live_.name) + " has no user network to forward from")
          .help(
              "only networks of mode \"user\" have forwards; on a bridge the guest has an "
              "address of its own");
    if (wanted.empty()) return networks.front();
    if (std::find(networks.begin(), networks.end(), wanted) != networks.end()) return wanted;
    throw StateError("VM " + in_backticks(live_.name) + " has no user network " +
                     in_backticks(wanted))
        .help("its user networks are " + enumerate(networks));
  }

  /// The same forward as QEMU then has it.
  PlannedForward add(const std::string& network, const Forward& forward) {
    const auto before = forwards();
    const auto rule = host_end(forward) + "-:" + std::to_string(forward.guest_port);
    const auto said = monitor("hostfwd_add " + network + ' ' + rule);
    if (!said.empty())
      throw Error("QEMU does not forward " + in_backticks(forward_text(forward)) + ": " + said);
    for (auto& planned : forwards()) {
      const auto& now = planned.forward;
      if (now.guest_port != forward.guest_port || now.protocol != forward.protocol ||
          planned.network != network)
        continue;
      const bool old = std::any_of(before.begin(), before.end(),
                                   [&](const auto& each) { return same_end(each.forward, now); });
      if (!old) return planned;
    }
    throw Error("QEMU accepted the forward " + in_backticks(forward_text(forward)) +
                " but does not show it");
  }

  void remove(const PlannedForward& planned) {
    const auto said =
        monitor("hostfwd_remove " + planned.network + ' ' + host_end(planned.forward));
    const auto left = forwards();
    const bool gone = std::none_of(left.begin(), left.end(), [&](const auto& each) {
      return same_end(each.forward, planned.forward);
    });
    if (!gone)
      throw Error("QEMU does not remove " + in_backticks(host_end(planned.forward)) + ": " + said);
  }

  /// So that `status` and `list` tell what is so, without asking QEMU for it.
  void write_down() const {
    // Another command may have changed it while this one waited for the socket.
    auto live = read_live(live_.name);
    if (!live || !(live->qemu == live_.qemu)) return;
    live->forwards = forwards();
    write_live(*live);
  }

 private:
  std::string monitor(const std::string& line) {
    auto said = socket_.client().human_monitor(line);
    text_ = socket_.client().human_monitor("info usernet");
    std::erase(said, '\r');
    return std::string(trim(said));
  }

  LiveRecord live_;
  CommandSocket socket_;
  std::string text_;
};

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

}  // namespace

std::vector<PlannedForward> list_forwards(const std::string& name) {
  return Table(name).forwards();
}

std::vector<PlannedForward> add_forwards(const std::string& name,
                                         const std::vector<Forward>& forwards,
                                         const std::string& network) {
  Table table(name);
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
  if (!added.empty()) table.write_down();
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
  Table table(name);
  const auto all = table.forwards();
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
  for (const auto& planned : found) table.remove(planned);
  table.write_down();
  return found;
}

}  // namespace qlaunch
