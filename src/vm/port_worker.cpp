// SPDX-License-Identifier: MIT
#include "vm/port_worker.hpp"

#include "core/error.hpp"
#include "guest/auto_forward.hpp"
#include "host/socket.hpp"
#include "vm/auto_ports.hpp"
#include "vm/forward_table.hpp"
#include "vm/guest_listeners.hpp"
#include "vm/journal.hpp"
#include "vm/port_journal.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

/// Half of the time in which a port has to appear, so that a slow guest has the other half.
constexpr auto next_look = std::chrono::milliseconds(1000);
/// Somebody else has the agent, or QEMU's command socket, for a moment.
constexpr auto look_when_busy = std::chrono::milliseconds(200);
/// An agent that does not answer is asked less and less often, and at once when it comes.
constexpr auto look_when_silent = std::chrono::milliseconds(2000);
constexpr auto table_patience = std::chrono::milliseconds(500);

AskedProtocols asked_protocols(const PlannedAutoForward& rules) {
  AskedProtocols asked{false, false};
  for (const auto& rule : rules.rules) {
    if (rule.ignore) continue;
    (*rule.protocol == Protocol::udp ? asked.udp : asked.tcp) = true;
  }
  return asked;
}

Json port_told(const AutoPort& port) {
  Json json{{"protocol", port.listener.protocol == Protocol::udp ? "udp" : "tcp"},
            {"guest_address", port.listener.address},
            {"guest_port", port.listener.port},
            {"host_port", port.host_port},
            {"by", port.by_ssh ? "ssh" : "network"}};
  if (!port.why.empty()) json["cause"] = port.why;
  return json;
}

class PortWorker {
 public:
  PortWorker(const LiveRecord& live, int news)
      : live_(live),
        rules_(*live.plan.auto_forward),
        news_(news),
        qemu_(open_pidfd(live.qemu)),
        guest_(live, asked_protocols(rules_), [this] { return has_news(); }) {
    // A guest that boots says when its agent is there; of one that goes on nobody may have.
    if (read_auto_ports(live_) == AutoPorts{}) next_ += look_when_silent;
  }

  void run() {
    while (hear()) {
      if (still_ || Clock::now() < next_) continue;
      try {
        look();
      } catch (const PortsBusy&) {
        next_ = Clock::now() + look_when_busy;
      } catch (const std::exception& error) {
        cannot_see(error.what());
      }
    }
  }

 private:
  /// Waits for news or the time of the next look; false at the end.
  bool hear() {
    std::array<pollfd, 2> waiting{{{news_, POLLIN, 0}, {qemu_.get(), POLLIN, 0}}};
    const int timeout = still_ ? -1 : qmp::Deadline(next_).poll_timeout();
    if (poll(waiting.data(), waiting.size(), timeout) <= 0) return true;
    if (!qemu_ || waiting[1].revents != 0) return false;
    std::array<char, 64> bytes{};
    const auto got = read(news_, bytes.data(), bytes.size());
    if (got <= 0) return false;
    for (const char byte : std::string_view(bytes.data(), static_cast<std::size_t>(got)))
      take(static_cast<PortNews>(byte));
    return true;
  }

  void take(PortNews news) {
    still_ = news == PortNews::stands_still;
    if (still_) return;
    guest_.again();
    next_ = Clock::now();
    // It may be in another state than it was, and know nothing of its connections.
    doubt_ssh_ = true;
    // What listens after it has booted is another matter.
    if (news == PortNews::reset) fresh_ = true;
  }

  void look() {
    if (std::exchange(fresh_, false)) {
      guest_.ssh().close();
      settle({});
    }
    if (std::exchange(doubt_ssh_, false)) guest_.ssh().check();
    const auto listeners = guest_.ask();
    problem_.clear();
    settle(listeners);
    next_ = Clock::now() + next_look;
  }

  bool has_news() const {
    pollfd waiting{news_, POLLIN, 0};
    return poll(&waiting, 1, 0) != 0;
  }

  /// What has appeared stays: a guest that is frozen or busy for a while still has its listeners.
  void cannot_see(const std::string& why) {
    next_ = guest_.next();
    problem_ = why;
    const auto now = read_auto_ports(live_);
    if (now.problem == problem_ && now.by == guest_.by()) return;
    try {
      const ForwardTable table(live_, table_patience);
      auto ports = read_auto_ports(live_);
      ports.problem = problem_;
      ports.by = guest_.by();
      write_auto_ports(live_, ports);
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
      // The next look that fails tells it.
    }
  }

  /// Forwards that the profile has, or that a command has added since.
  const std::vector<PlannedForward>& declared() {
    std::error_code error;
    const auto written =
        std::filesystem::last_write_time(live_.plan.paths.runtime + "/live.json", error);
    if (!error && written != declared_written_) {
      if (const auto live = read_live(live_.name)) declared_ = live->forwards;
      declared_written_ = written;
    }
    return declared_;
  }

  /// Those that still wait for the same reason are no change.
  AutoChanges changes(const AutoPorts& now, const std::vector<AutoPort>& wanted) const {
    auto changes = changes_to(now, wanted);
    std::erase_if(changes.add, [&](const AutoPort& port) {
      const auto known = std::find_if(now.ports.begin(), now.ports.end(), [&](const auto& each) {
        return same_guest_port(each, port);
      });
      return known != now.ports.end() && known->state == AutoPort::State::waiting &&
             known->by_ssh == port.by_ssh && !hindrance(port).empty();
    });
    return changes;
  }

  /// As the file has them; those of an ssh connection that has ended are to come again.
  AutoPorts ports_now() {
    auto now = read_auto_ports(live_);
    const auto lost = [](const AutoPort& port) {
      return port.by_ssh && port.state == AutoPort::State::there;
    };
    if (std::none_of(now.ports.begin(), now.ports.end(), lost) || guest_.ssh().stands()) return now;
    for (auto& port : now.ports) {
      if (lost(port)) port.state = AutoPort::State::coming;
    }
    return now;
  }

  /// Makes it so.
  void settle(const std::vector<Listener>& listeners) {
    auto now = ports_now();
    auto wanted = wanted_ports(rules_, listeners, declared(), now);
    auto todo = changes(now, wanted);
    const bool same_words = now.by == guest_.by() && now.problem == problem_;
    if (todo.add.empty() && todo.remove.empty() && same_words) return;
    // Before the table is held: it may take seconds.
    if (std::any_of(todo.add.begin(), todo.add.end(), [](const auto& port) { return port.by_ssh; }))
      guest_.open_ssh();
    std::optional<ForwardTable> table;
    try {
      table.emplace(live_, table_patience);
    } catch (const TimeoutError&) {
      throw PortsBusy();
    }
    // A command may have changed something while the socket was waited for.
    now = ports_now();
    wanted = wanted_ports(rules_, listeners, declared(), now);
    todo = changes(now, wanted);
    now.by = guest_.by();
    now.problem = problem_;
    for (const auto& port : todo.remove) take_away(*table, now, port);
    for (const auto& port : todo.add) put(now, port);
    // Before QEMU has them: whoever comes after a crash here knows whose they are.
    write_auto_ports(live_, now);
    for (auto& port : now.ports) {
      if (port.state == AutoPort::State::coming) forward(*table, port);
    }
    if (!todo.add.empty()) write_auto_ports(live_, now);
  }

  void take_away(ForwardTable& table, AutoPorts& now, const AutoPort& port) {
    const auto planned = planned_forward(port, rules_.network);
    if (port.by_ssh) {
      guest_.ssh().remove(port.listener, port.host_port);
    } else if (port.state == AutoPort::State::there || port.state == AutoPort::State::coming) {
      for (const auto& each : table.forwards()) {
        if (!same_end(each.forward, planned.forward)) continue;
        table.remove(each);
        break;
      }
    }
    if (port.state == AutoPort::State::there) journal_.note("PORT_GONE", dump(port_told(port)));
    std::erase_if(now.ports, [&](const auto& each) { return same_guest_port(each, port); });
  }

  /// Into the table, with the state and the reason that it has already.
  static void put(AutoPorts& now, AutoPort port) {
    const auto known = std::find_if(now.ports.begin(), now.ports.end(),
                                    [&](const auto& each) { return same_guest_port(each, port); });
    if (known == now.ports.end()) {
      now.ports.push_back(std::move(port));
      return;
    }
    port.why = known->why;
    if (known->state == AutoPort::State::coming) port.host_port = known->host_port;
    *known = std::move(port);
  }

  /// Why it cannot appear at this moment; empty where nothing is in its way.
  std::string hindrance(const AutoPort& port) const {
    const auto no_ssh = port.by_ssh ? guest_.ssh_hindrance() : std::string();
    if (!no_ssh.empty())
      return "it listens on the guest's own loopback, and ssh does not lead there: " + no_ssh;
    if (port.host_port == 0 || rules_.taken == TakenPort::other) return {};
    return taken(port);
  }

  std::string taken(const AutoPort& port) const {
    const auto protocol = port.listener.protocol;
    try {
      if (port_free(protocol, "127.0.0.1", port.host_port)) return {};
    } catch (const Error& error) {
      return error.what();
    }
    const auto owner = port_owner(protocol, "127.0.0.1", port.host_port);
    std::string by;
    if (owner && owner->pid == live_.qemu.pid) {
      by = " by another forward of this VM";
    } else if (owner && !owner->program.empty()) {
      by = " by " + owner->program + " (pid " + std::to_string(owner->pid) + ')';
    }
    return "port 127.0.0.1:" + std::to_string(port.host_port) + " is taken" + by;
  }

  void forward(ForwardTable& table, AutoPort& port) {
    const auto before = port.why;
    port.why.clear();
    try {
      if (!port.by_ssh && begun(table, port)) return appeared(port);
      port.why = hindrance(port);
      if (!port.why.empty()) return waits(port, before);
      if (port.host_port != 0 && !taken(port).empty()) port.host_port = 0;
      if (port.by_ssh) {
        if (port.host_port == 0) port.host_port = free_port();
        guest_.ssh().add(port.listener, port.host_port);
      } else {
        const auto made = table.add(rules_.network, planned_forward(port, rules_.network).forward);
        port.host_port = made.forward.host_port;
      }
      appeared(port);
    } catch (const Error& error) {
      port.why = error.what();
      waits(port, before);
    }
  }

  /// By a worker that was killed.
  bool begun(const ForwardTable& table, const AutoPort& port) const {
    const auto planned = planned_forward(port, rules_.network);
    const auto all = table.forwards();
    return std::any_of(all.begin(), all.end(), [&](const auto& each) {
      return same_end(each.forward, planned.forward) &&
             each.forward.guest_port == port.listener.port;
    });
  }

  void appeared(AutoPort& port) {
    port.state = AutoPort::State::there;
    journal_.note("PORT_APPEARED", dump(port_told(port)));
  }

  void waits(AutoPort& port, const std::string& before) {
    port.state = AutoPort::State::waiting;
    if (port.why != before) journal_.note("PORT_NOT_FORWARDED", dump(port_told(port)));
  }

  static std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  const LiveRecord& live_;
  PortJournal journal_{live_.name};
  const PlannedAutoForward& rules_;
  int news_;
  UniqueFd qemu_;
  bool still_ = false;
  bool fresh_ = false;
  Clock::time_point next_ = Clock::now();
  bool doubt_ssh_ = false;
  GuestListeners guest_;
  std::string problem_;
  std::vector<PlannedForward> declared_;
  std::filesystem::file_time_type declared_written_{};
};

}  // namespace

void work_on_ports(const LiveRecord& live, int news) {
  try {
    PortWorker(live, news).run();
  } catch (const std::exception& error) {
    // The folder of a VM that has just ended is gone.
    if (alive(live.qemu))
      journal(live.name, "PORTS_UNWATCHED",
              Json{{"cause", error.what()}}.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
}

}  // namespace qlaunch
