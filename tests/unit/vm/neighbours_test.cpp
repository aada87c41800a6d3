// SPDX-License-Identifier: MIT
#include "vm/neighbours.hpp"

#include "core/units.hpp"
#include "host/memory.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("a guest with more memory than is free is warned of, with figures") {
  const auto free = available_memory();
  REQUIRE(free);
  CHECK(*free > mib);
  Profile profile;
  Plan plan;
  plan.memory = mib;
  CHECK(crowding(profile, plan).empty());
  // What is free changes from moment to moment, but not by this much.
  plan.memory = 4 * (*free / mib) * mib;
  const auto found = crowding(profile, plan);
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == Severity::warning);
  CHECK(found[0].message.starts_with("the guest gets " + format_size(plan.memory) +
                                     " of memory, and "));
  CHECK(found[0].message.find(" are free on this host") != std::string::npos);
  CHECK_FALSE(found[0].help.empty());
}
