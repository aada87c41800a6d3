// SPDX-License-Identifier: MIT
// A guest agent's side of a sync, for scripted peers.
// Does not know what comes after.
#pragma once

#include "peer.hpp"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace test {

/// Waits for a sync and gives its id.
inline std::string hear_sync(Stage& stage) {
  stage.hear_byte('\xff');
  const auto command = nlohmann::json::parse(stage.hear());
  CHECK(command["execute"] == "guest-sync-delimited");
  return command["arguments"]["id"].dump();
}

inline void answer_sync(Stage& stage) {
  const auto id = hear_sync(stage);
  stage.say("\xff{\"return\": " + id + "}\n");
}

}  // namespace test
