// SPDX-License-Identifier: MIT
#include "host/doctor.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("levels have names for --json") {
  CHECK(std::string(level_name(Level::ok)) == "ok");
  CHECK(std::string(level_name(Level::note)) == "note");
  CHECK(std::string(level_name(Level::warning)) == "warning");
  CHECK(std::string(level_name(Level::problem)) == "problem");
}
