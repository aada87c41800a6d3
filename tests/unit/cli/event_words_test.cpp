// SPDX-License-Identifier: MIT
#include "cli/event_words.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("an event of the journal is told in words, or as it is") {
  const auto words = [](const char* line) { return read_event(line).value().words; };
  CHECK(
      words(R"({"time":"t","event":"SHUTDOWN","data":{"guest":true,"reason":"guest-shutdown"}})") ==
      "the guest powered off");
  CHECK(words(R"({"time":"t","event":"STOP"})") == "the guest stands still");
  CHECK(words(R"({"time":"t","event":"VSERPORT_CHANGE","data":{"id":"agent-port","open":true}})") ==
        "the guest agent is there");
  CHECK(words(R"({"time":"t","event":"BRAND_NEW","data":{"a":1}})") == R"({"a":1})");
  CHECK(words(R"({"time":"t","event":"BRAND_NEW"})") == "");
  const auto event = read_event(R"({"time":"2026-01-31T12:00:00.123Z","event":"RESET"})");
  CHECK(event->time == "2026-01-31T12:00:00.123Z");
  CHECK(event->event == "RESET");
}

TEST_CASE("what a guest or a crash wrote into the journal does no harm") {
  CHECK_FALSE(read_event("").has_value());
  CHECK_FALSE(read_event(R"({"time":"t","eve)").has_value());
  CHECK_FALSE(read_event(R"(["event"])").has_value());
  CHECK_FALSE(read_event(R"({"time":"t"})").has_value());
  // Types that nobody expects, and an escape sequence.
  CHECK(read_event(R"({"time":7,"event":"RESET","data":[1]})").has_value());
  CHECK(read_event(R"({"event":"ENDED","data":{"text":"a\u001b[2Jb"}})")->words ==
        "ended: a\\x1b[2Jb");
}
