// SPDX-License-Identifier: MIT
// What a keeper takes of the host's memory, also after many events.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "host/files.hpp"
#include "qmp/sync.hpp"

#include <doctest/doctest.h>

using fault::pid;
using fault::pids;
using fault::Who;
using test::eventually;
using test::Home;

namespace {

/// KiB of a line of /proc/PID/smaps_rollup.
std::uint64_t memory(int process, const std::string& line) {
  const auto text = qlaunch::read_file("/proc/" + std::to_string(process) + "/smaps_rollup");
  for (const auto& each : qlaunch::split(text, '\n')) {
    if (!each.starts_with(line + ':')) continue;
    return std::stoull(each.substr(line.size() + 1));
  }
  FAIL("no " << line);
  return 0;
}

/// What is there for this process alone: neither a library's pages nor the program's own, which all
/// of its processes share.
std::uint64_t own(int process) {
  return memory(process, "Private_Dirty") + memory(process, "Private_Clean");
}

}  // namespace

TEST_CASE("a keeper takes little memory, also after ten thousand events") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  for (const std::string name : {"first", "second"})
    REQUIRE(home.run({"up", "tiny.toml", "--name", name}).code == 0);
  const int keeper = fault::status(home, "first")["keeper"];
  REQUIRE(eventually([&] { return fault::events(home, "first", "STARTED").size() == 1; }));
  CHECK(memory(keeper, "Rss") < 8192);
  CHECK(own(keeper) < 1024);
  MESSAGE("a keeper's own memory: " << own(keeper) << " KiB, resident with all it shares: "
                                    << memory(keeper, "Rss") << " KiB");

  constexpr std::size_t pairs = 5000;
  {
    qmp::SyncClient qemu(home.path() + "/run/first/qmp.sock");
    for (std::size_t index = 0; index < pairs; ++index) {
      qemu.execute("stop");
      qemu.execute("cont");
      qemu.discard_events();
    }
  }
  CHECK(eventually([&] { return fault::events(home, "first", "RESUME").size() == pairs; }));
  CHECK(fault::events(home, "first", "STOP").size() == pairs);
  CHECK(own(keeper) < 1024);
  MESSAGE("after " << 2 * pairs << " events: " << own(keeper) << " KiB");

  // One that took over has the whole live record and journal to read, and is no larger.
  fault::kill_for_sure(keeper);
  const int heir = fault::status(home, "first")["keeper"];
  REQUIRE(heir != keeper);
  REQUIRE(eventually([&] { return fault::events(home, "first", "WATCHING_AGAIN").size() == 1; }));
  CHECK(own(heir) < 1024);
}
