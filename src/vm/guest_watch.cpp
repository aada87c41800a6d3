// SPDX-License-Identifier: MIT
#include "vm/guest_watch.hpp"

#include "host/process.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace qlaunch {

void GuestWatch::note(const qmp::Event& event) {
  if (event.name == "STOP") stands_still();
  if (event.name == "RESUME") goes_on();
  if (event.name == "RESET") ports_.tell(PortNews::reset);
  if (event.name != "VSERPORT_CHANGE" || !event.data.is_object() ||
      event.data.value("id", "") != "agent-port")
    return;
  if (!event.data.value("open", false)) return addresses_.agent_gone();
  ports_.tell(PortNews::agent);
  addresses_.agent_there();
}

void GuestWatch::stands_still() {
  ports_.tell(PortNews::stands_still);
  addresses_.stands_still();
}

void GuestWatch::goes_on() {
  ports_.tell(PortNews::goes_on);
  addresses_.goes_on();
}

std::optional<GuestWatch::Clock::time_point> GuestWatch::next() const {
  const auto left = ports_.again();
  const auto right = addresses_.next();
  return left && right ? std::min(left, right) : left ? left : right;
}

void GuestWatch::look() {
  const auto now = Clock::now();
  if (ports_.fd() >= 0 && wait_exit(ports_.fd(), now)) ports_.ended();
  if (addresses_.fd() >= 0 && wait_exit(addresses_.fd(), now)) addresses_.ended();
  if (ports_.again() && now >= *ports_.again()) ports_.begin();
  if (addresses_.next() && now >= *addresses_.next()) addresses_.ask();
}

void GuestWatch::end() {
  ports_.end();
  addresses_.end();
}

}  // namespace qlaunch
