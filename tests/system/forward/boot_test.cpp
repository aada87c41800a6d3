// SPDX-License-Identifier: MIT
// What is told of a guest that does not get ready in time: how far it came, and what to try.
#include "guest/micro.hpp"

#include <doctest/doctest.h>

using micro::Guest;
using test::contains;
using test::Home;

namespace {

/// A message as one line, wherever it was broken for the screen.
std::string unwrapped(const std::string& text) {
  std::string out;
  for (const char character : text) {
    const bool space = character == '\n' || character == ' ';
    if (!space || (!out.empty() && out.back() != ' ')) out += space ? ' ' : character;
  }
  return out;
}

}  // namespace

TEST_CASE("a guest that is not ready in time is told of by how far it came") {
  if (micro::skipped()) return;
  Home home;
  // A disk with nothing on it, and a BIOS that says nothing on the serial port.
  home.write("empty.toml",
             "name = \"empty\"\ndisplay.type = \"none\"\nready.when = \"ssh\"\n"
             "machine.memory = \"64 MiB\"\n[[disk]]\nsize = \"16 MiB\"\n");
  const auto silent = home.run({"up", "empty.toml", "--timeout", "300ms"});
  CHECK(silent.code == 4);
  CHECK(contains(unwrapped(silent.err), "nothing has come out of its serial port"));
  CHECK(contains(unwrapped(silent.err), "`qlaunch view empty`"));
  CHECK(home.run({"kill", "empty"}).code == 0);

  // A kernel that is given no system.
  const Guest lost(
      home, "lost",
      {.words = "panic=0 rdinit=/none root=/dev/vdz", .ready = "serial:end Kernel panic"});
  const auto waited = lost.wait("ssh", "300ms");
  CHECK(waited.code == 4);
  CHECK(contains(unwrapped(waited.err),
                 "it does not find the disk with its system: Kernel panic - not syncing: VFS: "
                 "Unable to mount root fs"));
  CHECK(home.run({"kill", "lost"}).code == 0);

  // A system without a server.
  const Guest mute(home, "mute", {.ready = "agent"});
  mute.say("kill $(cat /run/dropbear.pid) 2>/dev/null; echo gone >/dev/ttyS0");
  const auto refused = mute.wait("ssh", "300ms");
  CHECK(refused.code == 4);
  CHECK(contains(unwrapped(refused.err), "its agent answers: its system is up"));
  CHECK(contains(unwrapped(refused.err), "`qlaunch exec mute -- ss -ltn`"));
  const auto never = home.run({"wait", "mute", "--for", "serial:never", "--timeout", "100ms"});
  CHECK(contains(unwrapped(never.err), "compared byte by byte"));
}
