// SPDX-License-Identifier: MIT
#include "profile/difference.hpp"

#include "texts.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

/// "key: before -> after @line", one for each.
std::vector<std::string> changes(const std::string& before, const std::string& after,
                                 const std::vector<std::string>& settings = {}) {
  const auto left = test::load(before, settings);
  const auto right = test::load(after, settings);
  REQUIRE_FALSE(has_errors(left.diagnostics));
  REQUIRE_FALSE(has_errors(right.diagnostics));
  std::vector<std::string> out;
  for (const auto& change : profile_changes(left, right)) {
    auto text = change.key;
    if (change.kind == KeyChange::Kind::added) text += " added";
    if (change.kind == KeyChange::Kind::removed) text += " removed";
    if (change.kind == KeyChange::Kind::value || change.kind == KeyChange::Kind::order)
      text += ": " + change.before + (change.before_is_default ? "*" : "") + " -> " + change.after +
              (change.after_is_default ? "*" : "");
    out.push_back(text + " @" + std::to_string(change.where.line));
  }
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("what a key said and says is told with its line, defaults included") {
  CHECK(changes("machine.memory = \"1 GiB\"\n", "\nmachine.memory = \"3 GiB\"\n") ==
        Lines{"machine.memory: \"1 GiB\" -> \"3 GiB\" @2"});
  CHECK(changes("cpu.count = 2\n", "machine.tpm = true\n") ==
        Lines{"machine.tpm: false* -> true @1"});
  // Of what is gone, the place is where it was.
  CHECK(changes("\n\nmachine.tpm = true\n", "cpu.count = 2\n") ==
        Lines{"machine.tpm: true -> false* @3"});
  CHECK(changes("machine.uuid = \"12345678-1234-1234-1234-123456789012\"\n", "cpu.count = 2\n") ==
        Lines{"machine.uuid: \"12345678-1234-1234-1234-123456789012\" ->  @1"});
}

TEST_CASE("another spelling of the same is no change") {
  CHECK(changes("machine.memory = \"1 GiB\"\n", "[machine]\n# a comment\nmemory = \"1024M\"\n")
            .empty());
  CHECK(changes("cpu.count = 2\n", "machine.memory = \"2 GiB\"\n").empty());
  CHECK(changes("ready.timeout = \"2m\"\n", "ready.timeout = \"120s\"\n").empty());
  CHECK(changes("machine.boot = [\"disk\", \"cdrom\", \"network\"]\n", "cpu.count = 2\n").empty());
  // The network that is there when none is written.
  CHECK(changes("cpu.count = 2\n", "[[network]]\nforward = [\"auto:22\"]\n").empty());
}

TEST_CASE("elements of lists are told apart by what they are called") {
  const std::string one = "[[disk]]\nsize = \"1 GiB\"\n";
  const std::string two = "[[disk]]\nname = \"data\"\nsize = \"2 GiB\"\n";
  CHECK(changes(one, one + two) == Lines{"disk.data added @3", "disk.data.size:  -> \"2 GiB\" @5"});
  CHECK(changes(one + two, one) == Lines{"disk.data removed @3"});
  CHECK(changes(one + two, two + "[[disk]]\nname = \"root\"\nsize = \"5 GiB\"\n").size() == 2);
  CHECK(changes(one, "[[disk]]\nname = \"root\"\nsize = \"1 GiB\"\ncache = \"none\"\n") ==
        Lines{"disk.root.cache: \"writeback\"* -> \"none\" @4"});
  const auto moved = changes("[[disk]]\nname = \"a\"\nsize = \"1G\"\n" + two,
                             two + "[[disk]]\nname = \"a\"\nsize = \"1G\"\n");
  CHECK(moved == Lines{"disk: [\"a\", \"data\"] -> [\"data\", \"a\"] @1"});
  CHECK(changes("[[usb]]\ndevice = \"tablet\"\n", "[[usb]]\ndevice = \"mouse\"\n") ==
        Lines{"usb[0].device: \"tablet\" -> \"mouse\" @2"});
}

TEST_CASE("entries of a table of the user's own are keys, too") {
  CHECK(changes("[guest.environment]\nA = \"1\"\nB = \"2\"\n",
                "[guest.environment]\nB = \"3\"\nC = \"4\"\n") ==
        Lines{"guest.environment.B: \"2\" -> \"3\" @2", "guest.environment.C:  -> \"4\" @3",
              "guest.environment.A: \"1\" ->  @2"});
}

TEST_CASE("a setting that both have hides what the file says below it") {
  CHECK(changes("machine.memory = \"1 GiB\"\n", "machine.memory = \"3 GiB\"\n",
                {"machine.memory=4GiB"})
            .empty());
}
