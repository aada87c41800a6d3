// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "host/lock.hpp"
#include "support/run.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <poll.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace {

/// qlaunch on a terminal of its own, which outlives it.
class OnTerminal {
 public:
  OnTerminal(const Home& home, std::vector<std::string> words) {
    REQUIRE(openpty(&terminal_, &line_, nullptr, nullptr, nullptr) == 0);
    words.insert(words.begin(), test::binary());
    auto options = home.program(words);
    options.environment.emplace_back("TERM=xterm");
    options.descriptors = {{0, line_}, {1, line_}, {2, line_}};
    tcgetattr(line_, &before_);
    child_ = qlaunch::spawn(options);
  }
  ~OnTerminal() {
    if (!status_) qlaunch::kill_and_reap(child_);
    close(terminal_);
    close(line_);
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  void type(const std::string& keys) const {
    REQUIRE(write(terminal_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }

  /// Whether this text appears behind all that was waited for before.
  bool shows(const std::string& text) {
    return eventually([&] {
      take();
      const auto at = screen_.find(text, seen_);
      if (at != std::string::npos) seen_ = at + text.size();
      return at != std::string::npos;
    });
  }

  pid_t pid() const { return child_.id.pid; }
  bool is_raw() const { return (modes().c_lflag & (ICANON | ECHO | ISIG)) == 0; }
  /// As it was before, in all that programs change.
  bool is_restored() const {
    const auto now = modes();
    return now.c_lflag == before_.c_lflag && now.c_iflag == before_.c_iflag &&
           now.c_oflag == before_.c_oflag;
  }

  int code() {
    status_ = qlaunch::reap(child_, std::chrono::steady_clock::now() + std::chrono::minutes(1));
    REQUIRE(status_.has_value());
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
  }

  const std::string& screen() const { return screen_; }

 private:
  termios modes() const {
    termios now{};
    tcgetattr(line_, &now);
    return now;
  }

  void take() {
    pollfd fd{terminal_, POLLIN, 0};
    std::array<char, 4096> bytes{};
    while (poll(&fd, 1, 0) > 0 && (fd.revents & POLLIN) != 0) {
      const auto got = read(terminal_, bytes.data(), bytes.size());
      if (got <= 0) return;
      screen_.append(bytes.data(), static_cast<std::size_t>(got));
    }
  }

  int terminal_ = -1, line_ = -1;
  termios before_{};
  qlaunch::Child child_;
  std::optional<int> status_;
  std::string screen_;
  std::size_t seen_ = 0;
};

}  // namespace

TEST_CASE("a QMP command is sent and answered") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto status = home.run({"qmp", "hello", "query-status"});
  CHECK(status.code == 0);
  CHECK(json::parse(status.out)["status"] == "running");
  CHECK(status.out.find('\n') == status.out.size() - 1);
  CHECK(
      contains(home.run({"qmp", "hello", "human-monitor-command", "command-line=info version"}).out,
               "\\r\\n"));
  CHECK(home.run({"qmp", "hello", R"({"execute": "stop"})"}).out == "{}\n");
  CHECK(home.run({"status", "hello", "--get", "state"}).out == "paused\n");
  CHECK(home.run({"qmp", "hello", "cont", "{}"}).code == 0);
  CHECK(home.run({"qmp", "hello", "quit"}).code == 0);
  CHECK(home.run({"wait", "hello", "--for", "stopped"}).code == 0);
  CHECK(home.run({"qmp", "hello", "query-status"}).code == 3);
}

TEST_CASE("what QEMU refuses is an error that helps") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto unknown = home.run({"qmp", "hello", "query-statuss"});
  CHECK(unknown.code == 1);
  CHECK(contains(unknown.err, "did you mean `query-status`?"));
  const auto missing = home.run({"qmp", "hello", "eject", "force=true"});
  CHECK(missing.code == 1);
  CHECK(contains(home.run({"qmp", "hello", "set-action", "shutdwn=pause"}).err, "shutdown"));
  CHECK(home.run({"qmp", "hello", "eject", "force"}).code == 2);
  CHECK(home.run({"qmp", "hello", "eject", "{"}).code == 2);
}

TEST_CASE("commands are read line by line where there is no terminal") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  const auto all = home.run_with_input(
      {"qmp", "hello"}, "# look\nquery-status\n\nno-such-command\n  query-name {}  \nquery-name");
  CHECK(all.code == 1);
  CHECK(contains(all.err, "no-such-command"));
  CHECK(contains(all.out, "\"running\""));
  CHECK(contains(all.out, "{\"name\":\"hello\"}\n{\"name\":\"hello\"}\n"));
}

TEST_CASE("another command that holds the socket is waited for, then named") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  // The file is to be its user's.
  REQUIRE(home.run({"status", "hello"}).code == 0);
  qlaunch::FileLock lock(home.path() + "/run/hello/qmp.lock");
  REQUIRE(lock.try_lock());
  const auto busy = home.run({"qmp", "hello", "query-status", "--timeout", "300ms"});
  CHECK(busy.code == 4);
  CHECK(contains(busy.err, "busy"));
  CHECK(contains(busy.err, std::to_string(getpid())));
}

TEST_CASE("the prompt completes, remembers, shows events, and leaves the terminal as it was") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  {
    OnTerminal prompt(home, {"qmp", "hello"});
    REQUIRE(prompt.shows("hello> "));
    CHECK(prompt.is_raw());
    prompt.type("query-stat");
    REQUIRE(prompt.shows("query-stat"));
    // Two commands begin so, query-stats and query-status: Tab lists them.
    prompt.type("\tu\t\r");
    CHECK(prompt.shows("\"status\": \"running\""));
    // The events of another command's doing, without a key being pressed.
    REQUIRE(home.run({"pause", "hello"}).code == 0);
    CHECK(prompt.shows("# STOP: the guest stands still"));
    prompt.type("cont\r");
    CHECK(prompt.shows("# RESUME"));
    prompt.type("nonsense\r");
    CHECK(prompt.shows("error: "));
    prompt.type("quit\r");
    CHECK(prompt.shows("`quit {}` ends the VM"));
    prompt.type("help set-act\t\r");
    CHECK(prompt.shows("shutdown=poweroff|pause"));
    prompt.type(" secret\r");
    CHECK(prompt.shows("error: "));
    prompt.type("half a line\x03");
    CHECK(prompt.shows("^C"));
    prompt.type("\x04");
    CHECK(prompt.code() == 0);
    CHECK(prompt.is_restored());
  }
  const auto history = home.path() + "/state/hello/qmp_history";
  struct stat status {};
  REQUIRE(stat(history.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  CHECK(qlaunch::read_file(history) == "query-status \ncont\nnonsense\nquit\nhelp set-action\n");

  OnTerminal prompt(home, {"qmp", "hello"});
  REQUIRE(prompt.shows("hello> "));
  // What was kept comes back: the fourth from below is `cont`.
  prompt.type("\x1b[A\x1b[A\x1b[A\x1b[A\r");
  CHECK(prompt.shows("cont"));
  REQUIRE(home.run({"kill", "hello"}).code == 0);
  CHECK(prompt.shows("hello has ended"));
  CHECK(prompt.code() == 0);
  CHECK(prompt.is_restored());
}

TEST_CASE("a prompt or a console that is killed leaves the terminal as it was") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  for (const auto* command : {"qmp", "console"}) {
    for (const int signal : {SIGTERM, SIGHUP, SIGINT}) {
      OnTerminal terminal(home, {command, "hello"});
      REQUIRE(eventually([&] { return terminal.is_raw(); }));
      kill(terminal.pid(), signal);
      CHECK(terminal.code() == 128 + signal);
      CHECK(terminal.is_restored());
    }
  }
}

TEST_CASE("the console passes keys on, Ctrl-C too, until Ctrl-] or the end of the VM") {
  Home home;
  REQUIRE(home.run({"hello"}).code == 0);
  {
    OnTerminal console(home, {"console", "hello"});
    REQUIRE(eventually([&] { return console.is_raw(); }));
    console.type(
        "abc\x03"
        "def");
    CHECK(console.shows("def"));
    const auto second = home.run({"console", "hello"});
    CHECK(second.code == 3);
    CHECK(contains(second.err, std::to_string(console.pid())));
    console.type("\x1d");
    CHECK(console.code() == 0);
    CHECK(console.is_restored());
    CHECK(console.shows("hello goes on running"));
  }
  OnTerminal console(home, {"console", "hello"});
  REQUIRE(eventually([&] { return console.is_raw(); }));
  REQUIRE(home.run({"kill", "hello"}).code == 0);
  CHECK(console.shows("hello has ended"));
  CHECK(console.code() == 0);
  CHECK(console.is_restored());
}
