// SPDX-License-Identifier: MIT
#include "vm/guest_listeners.hpp"

#include "core/error.hpp"
#include "vm/agent_socket.hpp"

#include <utility>

namespace qlaunch {
namespace {

constexpr auto listeners_patience = std::chrono::milliseconds(2000);
/// A command that runs in the guest by the agent gives up its turn every third of a second.
constexpr auto agent_turn_patience = std::chrono::milliseconds(700);
/// Others wait for their turn meanwhile: an agent that was silent before is given less time.
constexpr auto probe_patience = std::chrono::milliseconds(400);

}  // namespace

void GuestWay::again() {
  at_ = Clock::now();
  pause_ = first_pause;
  why_.clear();
}

void GuestWay::failed(const std::string& cause) {
  at_ = Clock::now() + pause_;
  pause_ = std::min<std::chrono::milliseconds>(pause_ * 2, longest_pause);
  why_ = cause;
}

GuestListeners::GuestListeners(const LiveRecord& live, AskedProtocols asked,
                               std::function<bool()> interrupted)
    : live_(live), asked_(asked), interrupted_(std::move(interrupted)), ssh_(live) {}

void GuestListeners::again() {
  agent_.again();
  way_.again();
}

std::vector<Listener> GuestListeners::ask() {
  if (agent_.due()) {
    try {
      auto listeners = ask_agent();
      by_ = "agent";
      agent_.again();
      return listeners;
    } catch (const std::exception& error) {
      agent_.failed(error.what());
    }
  }
  by_.clear();
  open_ssh();
  if (ssh_.stands()) {
    try {
      auto listeners = ssh_.listeners(asked_);
      by_ = "ssh";
      return listeners;
    } catch (const std::exception& error) {
      way_.failed(error.what());
    }
  }
  throw Error(agent_.why());
}

std::vector<Listener> GuestListeners::ask_agent() {
  qmp::AgentOptions options;
  options.reply = listeners_patience;
  options.line_cap = std::size_t{4} << 20;
  try {
    // It serves one at a time, and whoever runs a command has it for longer.
    AgentSocket socket(live_, agent_turn_patience, options);
    socket.agent().sync(by_ == "agent" ? listeners_patience : probe_patience);
    return agent_listeners(socket.agent(), asked_, listeners_patience);
  } catch (const TimeoutError&) {
    throw PortsBusy();
  } catch (const qmp::Timeout&) {
    throw Error("no guest agent answers");
  } catch (const qmp::Refused& refused) {
    throw Error(std::string("the guest agent does not tell what listens: ") + refused.what());
  }
}

void GuestListeners::open_ssh() {
  if (!way_.due()) return;
  try {
    ssh_.open(interrupted_);
    way_.again();
  } catch (const std::exception& error) {
    way_.failed(error.what());
  }
}

std::string GuestListeners::ssh_hindrance() const {
  return way_.due() || ssh_.stands() ? std::string() : way_.why();
}

}  // namespace qlaunch
