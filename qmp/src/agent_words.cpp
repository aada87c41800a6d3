// SPDX-License-Identifier: MIT
#include "agent_words.hpp"

#include <random>
#include <utility>

#include <nlohmann/json.hpp>

namespace qmp {

std::uint32_t fresh_id() {
  std::random_device random;
  return (random() & 0x7fffffffU) | 1U;
}

Timeout agent_absent() {
  return Timeout(
      "the guest agent does not answer: it may not be installed or running in the guest, "
      "or another program holds its socket");
}

Timeout agent_late(std::string_view command) {
  return Timeout("the guest agent did not answer `" + std::string(command) + "` in time");
}

Gone agent_gone(std::string_view command, std::string cause) {
  if (cause.empty()) cause = "the agent's socket was closed";
  auto text = "the connection ended before `" + std::string(command) + "` was answered: " + cause;
  return {text, std::move(cause)};
}

nlohmann::json shutdown_arguments(GuestShutdown how) {
  switch (how) {
    case GuestShutdown::halt:
      return {{"mode", "halt"}};
    case GuestShutdown::reboot:
      return {{"mode", "reboot"}};
    case GuestShutdown::powerdown:
      break;
  }
  return {{"mode", "powerdown"}};
}

}  // namespace qmp
