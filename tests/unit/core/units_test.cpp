// SPDX-License-Identifier: MIT
#include "core/units.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;
using namespace std::chrono_literals;

TEST_CASE("sizes are read in the ways people write them") {
  CHECK(parse_size("8 GiB") == 8 * gib);
  CHECK(parse_size("8GiB") == 8 * gib);
  CHECK(parse_size("8g") == 8 * gib);
  CHECK(parse_size("1.5 GiB") == 1536 * mib);
  CHECK(parse_size("8 GB") == 8000000000ULL);
  CHECK(parse_size("4096") == 4096);
  CHECK(parse_size(" 512  MiB ") == 512 * mib);
  CHECK(parse_size("0") == 0);
}

TEST_CASE("what is no size says why") {
  CHECK_THROWS_WITH_AS(parse_size("lots"), "`lots` is not a size", ValueError);
  CHECK_THROWS_WITH_AS(parse_size(""), "`` is not a size", ValueError);
  CHECK_THROWS_WITH_AS(parse_size("-1 GiB"), "`-1 GiB` is not a size", ValueError);
  CHECK_THROWS_WITH_AS(parse_size("8 GiB 3"), "`8 GiB 3` is not a size", ValueError);
  CHECK_THROWS_WITH_AS(parse_size("8 GiBi"), "`GiBi` is not a unit of size", ValueError);
  CHECK_THROWS_WITH_AS(parse_size("0.3 bytes"),
                       "`0.3 bytes` is not a whole number of bytes below 8 EiB", ValueError);
  CHECK_THROWS_WITH_AS(parse_size("9000000 TiB"),
                       "`9000000 TiB` is not a whole number of bytes below 8 EiB", ValueError);
  CHECK_THROWS_AS(parse_size("99999999999999999999"), ValueError);
}

TEST_CASE("sizes are shown exactly") {
  CHECK(format_size(8 * gib) == "8 GiB");
  CHECK(format_size(1536 * mib) == "1536 MiB");
  CHECK(format_size(8000000000ULL) == "7812500 KiB");
  CHECK(format_size(1) == "1 bytes");
  CHECK(format_size(0) == "0 bytes");
  CHECK(parse_size(format_size(123456789)) == 123456789);
  CHECK(format_size_rounded(8000000000ULL) == "7.45 GiB");
  CHECK(format_size_rounded(20 * gib) == "20 GiB");
}

TEST_CASE("durations are read and shown") {
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("2 min") == 2min);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("0s") == 0s);
  CHECK(format_duration(90s) == "1m30s");
  CHECK(format_duration(1500ms) == "1s500ms");
  CHECK(format_duration(0s) == "0s");
}

TEST_CASE("what is no duration says why") {
  CHECK_THROWS_WITH_AS(parse_duration("90"), "`90` has no unit", ValueError);
  CHECK_THROWS_WITH_AS(parse_duration("soon"), "`soon` is not a duration", ValueError);
  CHECK_THROWS_WITH_AS(parse_duration("-5s"), "`-5s` is not a duration", ValueError);
  CHECK_THROWS_WITH_AS(parse_duration("40000000 days"), "`40000000 days` is longer than a century",
                       ValueError);
  CHECK_THROWS_AS(parse_duration("99999999999999999 days"), ValueError);
}
