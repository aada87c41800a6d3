// SPDX-License-Identifier: MIT
// Commands in a real Linux by its guest agent, with no network at all: their streams, codes and
// ends.
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <chrono>
#include <csignal>

#include <doctest/doctest.h>

#include <sys/wait.h>

using micro::Guest;
using test::contains;
using test::eventually;
using test::Home;

namespace {

/// `qlaunch exec VM -- sh -c LINE`.
test::Result sh(const Home& home, const std::string& line) {
  return home.run({"exec", "web", "--", "sh", "-c", line});
}

std::string said(const Home& home) {
  return qlaunch::try_read_file(home.path() + "/out").value_or("");
}

/// Processes called so in the guest, and files of ours, but for those of the asking command.
std::string left(const Home& home, const std::string& process) {
  const auto all = sh(home, "pidof " + process +
                                "; for f in /run/qlaunch-exec-* /tmp/qlaunch-exec-*; do case $f in "
                                "*'*'|$(readlink /proc/$PPID/fd/1)) ;; *) echo ${f%.*} ;; esac; "
                                "done | sort -u | wc -l");
  CHECK(all.code == 0);
  return all.out;
}

int code_of(const qlaunch::Child& child) {
  const auto status =
      qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status);
  return WIFEXITED(*status) ? WEXITSTATUS(*status) : 1000 + WTERMSIG(*status);
}

/// Bytes of every value, in no order that a mistake could leave as it is.
std::string noise(std::size_t size) {
  std::string out(size, '\0');
  std::uint32_t state = 1;
  for (auto& byte : out) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return out;
}

}  // namespace

TEST_CASE("exec: what a command says, is told and ends with, without a network") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "web", {.body = "[[network]]\nmode = \"none\"\n", .ready = "agent"});

  const auto plain = home.run({"exec", "web", "--", "sh", "-c",
                               "echo to-out; echo to-err >&2; printf '%s|' \"$@\"; exit 7", "sh",
                               "a b", "--x=", "$HOME", "-q", "*", "ü\n"});
  CHECK_MESSAGE(plain.code == 7, plain.err);
  CHECK(plain.out == "to-out\na b|--x=|$HOME|-q|*|ü\n|");
  CHECK(plain.err == "to-err\n");
  CHECK(sh(home, "kill -9 $$").code == 128 + SIGKILL);
  CHECK(sh(home, "exit 125").code == 125);
  const auto unknown = home.run({"exec", "web", "--", "no-such-command"});
  CHECK(unknown.code == 127);
  CHECK(contains(unknown.err, "no-such-command"));
  CHECK(home.run({"exec", "web", "--", "/etc/passwd"}).code == 126);

  // Environment, folder, user.
  const auto where = home.run({"exec", "web", "-e", "A=b  c", "--env", "PATH=/nowhere:/bin", "-w",
                               "/proc/sys", "-u", "root", "--", "sh", "-c",
                               "echo \"$A\" $PATH $PWD $HOME $(umask) \"$0\" \"$@\"", "-n", "x y"});
  CHECK_MESSAGE(where.code == 0, where.err);
  CHECK(where.out == "b  c /nowhere:/bin /proc/sys /root 0022 -n x y\n");
  const auto nowhere = home.run({"exec", "web", "--workdir", "/no/such", "--", "true"});
  CHECK(nowhere.code == 125);
  CHECK(contains(nowhere.err, "the guest has no folder `/no/such`"));
  const auto wrong = home.run({"exec", "web", "--env", "A-B=c", "--", "true"});
  CHECK(wrong.code == 2);
  CHECK(contains(wrong.err, "`A-B=c`"));

  // Input: none, what is there at once, and more than is.
  CHECK(sh(home, "cat; echo end").out == "end\n");
  const auto little = std::string("a\0b\xff\n", 5);
  CHECK(home.run_with_input({"exec", "web", "--", "cat"}, little).out == little);
  const auto much = noise(1'500'000);
  const auto back = home.run_with_input({"exec", "web", "--", "cat"}, much);
  CHECK(back.code == 0);
  CHECK(back.out == much);
  // A command need not read it, and its end is then not held up.
  CHECK(home.run_with_input({"exec", "web", "--", "head", "-c", "5"}, much).out ==
        much.substr(0, 5));

  // Both outputs at once, each longer than what is kept in the guest for one that nobody reads.
  const auto both = sh(home,
                       "dd if=/dev/zero bs=1M count=9 2>/dev/null | tr '\\0' x & "
                       "dd if=/dev/zero bs=1M count=9 2>/dev/null | tr '\\0' y >&2; wait");
  CHECK(both.code == 0);
  // run() keeps the first 4 MiB.
  CHECK(both.out.find_first_not_of('x') == std::string::npos);
  CHECK(both.err.find_first_not_of('y') == std::string::npos);
  CHECK(both.out.size() == both.err.size());

  // What it has left in the background keeps running, and keeps nobody waiting.
  const auto begun = std::chrono::steady_clock::now();
  CHECK(sh(home, "sleep 1234 & echo done").out == "done\n");
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(30));
  CHECK(sh(home, "pidof sleep >/dev/null && kill $(pidof sleep)").code == 0);
  CHECK(left(home, "sleep") == "1\n");
  // Like `exec` does its VM runs no command of the wrong kind.
  CHECK(home.run({"exec", "nobody", "--", "true"}).code == 125);
  CHECK(home.run({"exec", "web"}).code == 2);
}

TEST_CASE("exec: streams go on while others take their turn, and what is stopped leaves nothing") {
  if (micro::skipped()) return;
  Home home;
  const Guest guest(home, "web", {.ready = "agent"});
  // What one has left in the background may write on for ever: it does not wait for that.
  auto chatty = home.program({test::binary(), "exec", "web", "--", "sh", "-c",
                              "while echo on; do usleep 20000; done & exit 4"});
  chatty.stdout_path = "/dev/null";
  const auto left_writing = qlaunch::spawn(chatty);
  {
    const auto talking = home.start({"exec", "web", "--", "sh", "-c",
                                     "echo first; until [ -e /tmp/go ]; do usleep 10000; done; "
                                     "echo second; exit 3"});
    // It is heard while it runs, and another command can be run meanwhile.
    REQUIRE(eventually([&] { return said(home) == "first\n"; }));
    CHECK(sh(home, "touch /tmp/go").code == 0);
    CHECK(code_of(talking) == 3);
    CHECK(said(home) == "first\nsecond\n");
  }
  {
    // Ctrl-C is the command's: what it says to that is heard, too.
    const auto trapping = home.start({"exec", "web", "--", "sh", "-c",
                                      "trap 'echo caught; exit' INT; echo up; while :; do "
                                      "usleep 10000; done"});
    REQUIRE(eventually([&] { return contains(said(home), "up\n"); }));
    kill(trapping.id.pid, SIGINT);
    CHECK(code_of(trapping) == 130);
    CHECK(contains(said(home), "up\ncaught\n"));
  }
  {
    // One that does not listen is killed, with what it has started.
    const auto deaf = home.start({"exec", "web", "--", "sh", "-c",
                                  "trap '' INT TERM; sleep 1111 & (setsid true; sleep 2222) & echo "
                                  "deaf; wait; sleep 3333"});
    REQUIRE(eventually([&] { return contains(said(home), "deaf\n"); }));
    kill(deaf.id.pid, SIGINT);
    CHECK(code_of(deaf) == 130);
  }
  const auto late = home.run({"exec", "web", "--timeout", "1s", "--", "sleep", "4444"});
  CHECK(late.code == 125);
  CHECK(contains(late.err, "did not end in time"));
  {
    // Whoever reads has enough, and the command does not care.
    auto how = home.program({"/bin/sh", "-c",
                             "{ \"$1\" exec web -- sh -c \"$2\"; echo $? >&2; } | head -n 2", "sh",
                             test::binary(), "trap '' PIPE; yes 2>/dev/null & sleep 5555"});
    const auto piped = qlaunch::run_and_capture(how, std::chrono::minutes(1), std::size_t{1} << 20);
    CHECK(piped.out == "y\ny\n");
    CHECK(piped.err == "141\n");
  }
  CHECK(code_of(left_writing) == 4);
  CHECK(left(home, "sleep") == "1\n");
  CHECK(left(home, "yes") == "1\n");
}
