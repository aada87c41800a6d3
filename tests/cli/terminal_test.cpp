// SPDX-License-Identifier: MIT
//
// What is different on a terminal, on a real one (a pty).
#include "core/text.hpp"
#include "support/run.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <doctest/doctest.h>

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

using qlaunch::split;
using test::contains;

namespace {

/// All three streams on a terminal of this width; what appeared on it, both streams mixed.
test::Result on_terminal(const test::Home& home, std::vector<std::string> words,
                         unsigned short columns) {
  words.insert(words.begin(), test::binary());
  words = home.program(words).argv;
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
  int terminal = -1;
  const pid_t child = forkpty(&terminal, nullptr, nullptr, &size);
  REQUIRE(child >= 0);
  if (child == 0) {
    setenv("QLAUNCH_HOME", home.path().c_str(), 1);
    setenv("HOME", home.file("").c_str(), 1);
    setenv("TERM", "xterm", 1);
    for (const auto* name : {"COLUMNS", "NO_COLOR", "DISPLAY", "WAYLAND_DISPLAY"}) unsetenv(name);
    if (chdir(home.file("").c_str()) != 0) _exit(126);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  test::Result result;
  std::array<char, 4096> bytes{};
  for (;;) {
    const auto got = read(terminal, bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    // The last one to hold the terminal has gone: EIO.
    if (got <= 0) break;
    result.out.append(bytes.data(), static_cast<std::size_t>(got));
  }
  close(terminal);
  int status = 0;
  waitpid(child, &status, 0);
  result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::erase(result.out, '\r');
  return result;
}

}  // namespace

TEST_CASE("cli: on a terminal up shows its steps, in color where something is wrong") {
  const test::Home home;
  const auto up = on_terminal(home, {"up", "hello", "--set", "machine.accel=tcg"}, 80);
  CHECK(up.code == 0);
  const auto result = up.out.find("hello runs (pid ");
  REQUIRE(result != std::string::npos);
  // At least one step, in a line of its own, before the result.
  CHECK(up.out.starts_with("  "));
  CHECK(up.out.find('\n') < result);
  const auto quiet = on_terminal(home, {"up", "hello", "--quiet"}, 80);
  CHECK(quiet.code == 0);
  CHECK(quiet.out.empty());
  CHECK(contains(on_terminal(home, {"status", "nobody"}, 80).out, "\x1b["));
}

TEST_CASE("cli: what is waited for is shown, and erased") {
  const test::Home home;
  home.write("silent.toml",
             "extends = \"hello\"\nname = \"silent\"\n[ready]\nwhen = \"serial:never said\"\n");
  const auto up = on_terminal(home, {"up", "silent", "--timeout", "2s"}, 80);
  CHECK(up.code == 4);
  const auto shown = up.out.find("waiting for ");
  REQUIRE(shown != std::string::npos);
  CHECK(up.out.find("\x1b[K", shown) != std::string::npos);
  // A step and a failure stand in lines of their own.
  CHECK(contains(up.out, "\x1b[K\x1b["));
}

TEST_CASE("cli: tables and manuals fit the terminal they are on") {
  const test::Home home;
  REQUIRE(home.run({"up", "hello", "--quiet"}).code == 0);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"list"}, {"--color=never", "up", "--help"}, {"--color=never", "doctor"}}) {
    CAPTURE(words.back());
    const auto seen = on_terminal(home, words, 60);
    for (const auto& line : split(seen.out, '\n')) {
      CAPTURE(line);
      // A path that is longer than the line is never cut, nor a command that is to be copied.
      const std::string text(qlaunch::trim(line));
      if (contains(text, " ") && !text.starts_with("sudo "))
        CHECK(qlaunch::display_width(line) <= 60);
    }
  }
}

TEST_CASE("cli: a guest cannot take over the terminal that shows its log") {
  const test::Home home;
  REQUIRE(home.run({"up", "hello", "--quiet"}).code == 0);
  // It echoes what it is sent: a title, a color, a bell.
  home.run_with_input({"console", "hello"}, "\x1b]0;title\x07 \x1b[31mred\x1b[0m end");
  CHECK(test::eventually([&] { return contains(home.run({"log", "hello"}).out, "end"); }));
  CHECK(contains(home.run({"log", "hello"}).out, "\x1b]0;title\x07"));
  const auto seen = on_terminal(home, {"log", "hello"}, 80);
  CHECK(contains(seen.out, "red"));
  CHECK(contains(seen.out, "\\x1b]0;title\\x07"));
  CHECK(!contains(seen.out, "\x1b"));
  CHECK(!contains(seen.out, "\x07"));
}
