// SPDX-License-Identifier: MIT
#include "vm/keeper_monitor.hpp"

#include "core/error.hpp"
#include "host/socket.hpp"
#include "vm/keeper.hpp"
#include "vm/state/state_marker.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include <poll.h>

namespace qlaunch {

bool KeeperMonitor::connect() {
  const auto* socket = live_.plan.descriptor("keeper");
  if (socket == nullptr) {
    lost_ = "it has no socket for a keeper";
    return false;
  }
  try {
    pending_ = connect_unix(socket->path);
    lost_.clear();
    return true;
  } catch (const Error& error) {
    lost_ = error.what();
    return false;
  }
}

int KeeperMonitor::fd() const {
  return client_ ? client_->fd() : pending_.get();
}

void KeeperMonitor::lose(const std::string& why) {
  client_.reset();
  pending_.reset();
  lost_ = why;
}

bool KeeperMonitor::greet() {
  qmp::Options options;
  options.greeting = quit_patience;
  options.reply = quit_patience;
  try {
    client_.emplace(qmp::SyncClient::adopt(
        pending_.release(), options, std::vector<qmp::Watch>{{qemu_, "the QEMU process exited"}}));
    return true;
  } catch (const qmp::Error& error) {
    lose(error.what());
    return false;
  }
}

bool KeeperMonitor::take(const std::function<void(const qmp::Event&)>& event) {
  if (pending_) return greet();
  if (!client_) return false;
  try {
    // What is done about an event may end the connection.
    while (client_) {
      const auto next = client_->wait_event({}, Clock::now());
      if (!next) break;
      event(*next);
    }
  } catch (const qmp::Error& error) {
    // QEMU ends, or speaks no QMP any more: its pidfd tells which.
    lose(error.what());
  }
  return false;
}

std::string KeeperMonitor::state() {
  try {
    if (client_) return client_->execute("query-status").value("status", "");
  } catch (const std::exception& error) {
    lose(error.what());
  }
  return {};
}

bool KeeperMonitor::press(Clock::time_point until) {
  if (!client_ && !pending_ && !connect()) return press_as_command(until);
  if (!client_) {
    std::array<pollfd, 2> waiting{{{pending_.get(), POLLIN, 0}, {qemu_, POLLIN, 0}}};
    poll(waiting.data(), waiting.size(), qmp::Deadline(until).poll_timeout());
    // It may greet later, and then hear the next press.
    if (waiting[0].revents == 0 || !greet()) return true;
  }
  try {
    client_->execute("system_powerdown", nullptr, until);
  } catch (const qmp::Error&) {  // NOLINT(bugprone-empty-catch)
    // Refused or not answered at this moment; the next press may be.
  }
  return true;
}

/// Where the keeper's own socket is gone, by the one of the commands.
bool KeeperMonitor::press_as_command(Clock::time_point until) {
  const auto rest = std::chrono::duration_cast<Duration>(until - Clock::now());
  try {
    CommandSocket socket(live_, std::clamp<Duration>(rest, Duration(100), press_again));
    socket.client().execute("system_powerdown");
    return true;
  } catch (const Error&) {
    return false;
  } catch (const qmp::Error&) {
    return false;
  }
}

bool KeeperMonitor::quit() {
  try {
    if (!client_) return false;
    client_->quit();
    return true;
  } catch (const qmp::Error&) {
    return false;
  }
}

void KeeperMonitor::settle() {
  try {
    if (client_) settle_state(live_, *client_);
  } catch (const std::exception& error) {
    lose(error.what());
  }
}

}  // namespace qlaunch
