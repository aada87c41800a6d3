// SPDX-License-Identifier: MIT
#include "host/spawn.hpp"

#include "scratch.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/wait.h>

using namespace qlaunch;
using namespace std::chrono_literals;
using test::contains;
using test::error_of;
using test::Folder;
using test::in;

namespace {

Captured shell(const std::string& script, SpawnOptions options = {}) {
  options.argv = {"/bin/sh", "-c", script};
  return run_and_capture(std::move(options), 30s, std::size_t{1} << 20);
}

/// Becomes an ordinary user, in a child process of a test that root runs.
bool drop_root() {
  if (::geteuid() != 0) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(65534, 65534, 65534) == 0 &&
         ::setresuid(65534, 65534, 65534) == 0 &&
         ::prctl(PR_SET_DUMPABLE, 1) == 0;  // as after a login: /proc/self is its own
}

}  // namespace

TEST_CASE("arguments arrive as they are") {
  const std::string odd = "a 'b\" $c\n\\ *";
  const auto result = run_and_capture({"printf", "%s|", odd, "", "--"});
  CHECK(result.ok());
  CHECK(result.out == odd + "||--|");
}

TEST_CASE("output and errors are kept apart, and the exit code is told") {
  const auto result = shell("echo out; echo err >&2; exit 3");
  CHECK(result.out == "out\n");
  CHECK(result.err == "err\n");
  CHECK_FALSE(result.ok());
  CHECK(describe_exit(result.status) == "exit code 3");
}

TEST_CASE("more output than a pipe holds, and more than the limit") {
  const std::string script = "head -c 3000000 /dev/zero | tr '\\0' x; echo end >&2";
  const auto all = run_and_capture({"sh", "-c", script}, 30s, 5'000'000);
  CHECK(all.out.size() == 3'000'000);
  CHECK(all.err == "end\n");
  const auto part = run_and_capture({"sh", "-c", script}, 30s, 1000);
  CHECK(part.ok());
  CHECK(part.out == std::string(1000, 'x'));
}

TEST_CASE("a program that takes too long is killed") {
  const auto start = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(run_and_capture({"sleep", "1000"}, 50ms), TimeoutError);
  CHECK(std::chrono::steady_clock::now() - start < 30s);
}

TEST_CASE("a program that ends is not waited for because of what it left behind") {
  const Folder folder;
  const auto result = shell("sleep 1000 & echo $!");
  CHECK(result.ok());
  const auto left = identify(static_cast<pid_t>(std::stol(result.out)));
  REQUIRE(left);
  CHECK(send_signal(*left, SIGKILL));
}

TEST_CASE("what cannot be started is told apart") {
  const Folder folder;
  const auto start = [&](const std::string& program) {
    return error_of([&] {
      SpawnOptions options;
      options.argv = {program};
      spawn(options);
    });
  };
  CHECK(start("no-such-program-here") == "`no-such-program-here` is not found");
  CHECK(start(folder / "none") == "`" + folder / "none" + "` is not found");
  CHECK(start(folder.path()) == "`" + folder.path() + "` is a folder, not a program");
  const auto plain = folder.write("plain", "#!/bin/sh\n", 0644);
  CHECK(start(plain) == "`" + plain + "` is not executable");
  const auto text = folder.write("text", "just words\n", 0755);
  CHECK(start(text) == "`" + text + "` is not a program that this machine can run");
  const auto script = folder.write("script", "#!/no/such/interpreter\n", 0755);
  CHECK(contains(start(script), "the interpreter it names is not found"));
  CHECK(contains(start(""), "is not found"));
}

TEST_CASE("PATH is searched as a shell does, but never the current folder for an empty entry") {
  const Folder folder;
  folder.folder("first");
  folder.folder("second");
  folder.write("first/tool", "", 0644);  // not executable: goes on
  folder.write("second/tool", "#!/bin/sh\necho second\n", 0755);
  {
    const test::Variable path("PATH", folder / "first:" + folder / "second");
    CHECK(find_program("tool") == folder / "second/tool");
    CHECK(run_and_capture({"tool"}).out == "second\n");
    CHECK(find_program("tool2").empty());
    CHECK(find_program("./tool") == "./tool");
  }
  const test::Variable path("PATH", "::");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder / "second");
  CHECK(find_program("tool").empty());
  std::filesystem::current_path(before);
}

TEST_CASE("the child has exactly the descriptors that it was given") {
  const UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd second(::open("/dev/zero", O_RDONLY));  // inheritable, by another's carelessness
  const UniqueFd third(::open("/dev/full", O_RDONLY));
  SpawnOptions options;
  // Numbers that cross each other's sources, with gaps.
  options.descriptors = {
      {second.get(), first.get()}, {first.get(), second.get()}, {40, third.get()}};
  // Listed from outside the shell, which opens something itself when it lists or substitutes.
  const auto result = shell("ls -l /proc/$$/fd; :", options);
  CHECK(contains(result.out, std::to_string(second.get()) + " -> /dev/null\n"));
  CHECK(contains(result.out, std::to_string(first.get()) + " -> /dev/zero\n"));
  CHECK(contains(result.out, " 40 -> /dev/full\n"));
  CHECK(contains(result.out, " 0 -> /dev/null\n"));
  CAPTURE(result.out);
  // A heading, 0, 1, 2 and the three.
  CHECK(std::count(result.out.begin(), result.out.end(), '\n') == 7);
}

TEST_CASE("closed standard descriptors of ours are /dev/null in the child") {
  const int code = test::in_child([] {
    for (const int fd : {0, 1, 2}) ::close(fd);
    const Folder folder;
    SpawnOptions options;
    options.argv = {"/bin/sh", "-c",
                    "readlink /proc/self/fd/0 /proc/self/fd/2 > '" + folder / "fds" + "'"};
    const Child child = spawn(options);
    reap(child, in(10s));
    return read_file(folder / "fds") == "/dev/null\n/dev/null\n" ? 0 : 1;
  });
  CHECK(code == 0);
}

TEST_CASE("logs are appended to, private, and shared where they are one") {
  const Folder folder;
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", "echo one; echo two >&2"};
  options.stdout_path = options.stderr_path = folder / "log";
  for (int i = 0; i < 2; ++i) {
    const Child child = spawn(options);
    CHECK(reap(child, in(10s)) == 0);
  }
  CHECK(read_file(folder / "log") == "one\ntwo\none\ntwo\n");
  CHECK(test::mode_of(folder / "log") == 0600);
}

TEST_CASE("environment and folder") {
  const Folder folder;
  const test::Variable removed("QLAUNCH_TEST_A", "1"), changed("QLAUNCH_TEST_B", "1"),
      kept("QLAUNCH_TEST_C", "1");
  SpawnOptions options;
  options.environment = {"QLAUNCH_TEST_A", "QLAUNCH_TEST_B=x=y z", "QLAUNCH_TEST_D="};
  options.working_folder = folder.path();
  const auto result = shell("pwd; env | grep ^QLAUNCH_TEST_ | sort", options);
  CHECK(result.out ==
        folder.path() + "\nQLAUNCH_TEST_B=x=y z\nQLAUNCH_TEST_C=1\nQLAUNCH_TEST_D=\n");
  // A relative program is one of ours, not one of that folder's.
  folder.write("tool", "#!/bin/sh\necho tool\n", 0755);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  options.argv = {"./tool"};
  options.working_folder = "/";
  const auto tool = run_and_capture(options, 30s, 1000);
  std::filesystem::current_path(before);
  CHECK(tool.out == "tool\n");
  options.working_folder = folder / "none";
  CHECK(contains(error_of([&] { shell("true", options); }), "cannot enter the working folder"));
}

TEST_CASE("signals: nothing is inherited, and what is asked for is blocked") {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t mask, before;
  ::sigemptyset(&mask);
  ::sigaddset(&mask, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &mask, &before);
  const auto field = [](const std::string& text, const std::string& name) {
    const auto at = text.find(name + ":\t");
    REQUIRE(at != std::string::npos);
    return std::stoull(text.substr(at + name.size() + 2, 16), nullptr, 16);
  };
  SpawnOptions options;
  options.argv = {"cat", "/proc/self/status"};
  const auto plain = run_and_capture(options, 30s, 10000).out;
  CHECK(field(plain, "SigBlk") == 0);
  CHECK(field(plain, "SigIgn") == 0);
  options.block_signals = true;
  const auto blocked = run_and_capture(options, 30s, 10000).out;
  const auto bit = [](int signal) { return 1ULL << (signal - 1); };
  CHECK(field(blocked, "SigBlk") == (bit(SIGTERM) | bit(SIGHUP) | bit(SIGINT)));
  // Ours are as they were.
  sigset_t now;
  ::sigprocmask(SIG_SETMASK, &before, &now);
  CHECK(::sigismember(&now, SIGUSR1) == 1);
  CHECK(::sigismember(&now, SIGTERM) == 0);
  std::signal(SIGPIPE, SIG_DFL);
}

TEST_CASE("a session of its own") {
  SpawnOptions options;
  options.argv = {"sleep", "1000"};
  const Child with_us = spawn(options);
  options.new_session = true;
  const Child apart = spawn(options);
  CHECK(::getsid(with_us.id.pid) == ::getsid(0));
  CHECK(::getsid(apart.id.pid) == apart.id.pid);
  kill_and_reap(with_us);
  kill_and_reap(apart);
}

TEST_CASE("a child may be made to end with its parent") {
  const Folder folder;
  test::in_child([&] {
    SpawnOptions options;
    options.argv = {"sleep", "1000"};
    options.die_with_parent = true;
    const Child child = spawn(options);
    folder.write("pid", std::to_string(child.id.pid) + " " + std::to_string(child.id.start_time));
    return 0;
  });
  const auto text = read_file(folder / "pid");
  const auto space = text.find(' ');
  const ProcessId child{.pid = static_cast<pid_t>(std::stol(text)),
                        .start_time = std::stoull(text.substr(space)),
                        .boot_id = {}};
  const UniqueFd pidfd = open_pidfd(child);
  CHECK((!pidfd || wait_exit(pidfd.get(), in(10s))));
}

TEST_CASE("a folder is read-only for the child alone, with all that is in it") {
  const Folder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
  const auto shared = folder.folder("shared with spaces", 0777);
  folder.write("shared with spaces/file", "x", 0666);
  REQUIRE(::symlink("shared with spaces", (folder / "link").c_str()) == 0);
  const auto try_it = [&](const std::string& through) {
    SpawnOptions options;
    options.readonly_folder = through;
    options.user_namespace = ::geteuid() != 0;
    return shell("cd '" + shared +
                     "' || exit 3; cat file >/dev/null || exit 4; "
                     "echo y > file && exit 5; echo y > new && exit 6; "
                     "echo y > '" +
                     folder / "beside" + "' || exit 7; exit 0",
                 options);
  };
  const auto check = [&](const std::string& through) {
    const auto result = try_it(through);
    if (!result.ok())
      ::dprintf(2, "%s: %s\n", describe_exit(result.status).c_str(), result.err.c_str());
    return result.ok() && contains(result.err, "Read-only file system") ? 0 : 1;
  };
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  SUBCASE("for this user") {
    CHECK(check(shared) == 0);
    CHECK(check(folder / "link") == 0);
  }
  SUBCASE("for an ordinary user, who is root in a namespace") {
    const int code = test::in_child([&] {
      if (!drop_root()) return 2;
      try {
        return check(shared);
      } catch (const Error& error) {
        ::dprintf(2, "%s\n", error.what());
        return 3;
      }
    });
    CHECK(code == 0);
  }
  CHECK(read_file(shared + "/file") == "x");
  // For us it is as writable as it was.
  folder.write("shared with spaces/file", "z");
  CHECK(contains(error_of([&] { try_it(folder / "none"); }), "cannot use the folder"));
}

TEST_CASE("a user namespace: root inside is this user outside, also with groups to give up") {
  const Folder folder;
  REQUIRE(::chmod(folder.path().c_str(), 0777) == 0);
  const auto run_as = [&](const std::vector<gid_t>& groups) {
    return test::in_child([&] {
      if (::geteuid() == 0 &&
          (::setgroups(groups.size(), groups.data()) != 0 ||
           ::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0 ||
           ::prctl(PR_SET_DUMPABLE, 1) != 0)) {
        return 2;
      }
      SpawnOptions options;
      options.user_namespace = true;
      const auto result = shell(
          "test $(id -u) = 0 && unshare --mount --pid --fork true && "
          "echo y > '" +
              folder / "made' && chmod 640 '" + folder / "made'",
          options);
      ::dprintf(2, "%s", result.err.c_str());
      // As the C virtiofsd does: it ends where it cannot.
      options.argv = {"setpriv", "--clear-groups", "true"};
      const auto cleared = run_and_capture(options, 30s, 10000);
      ::dprintf(2, "%s", cleared.err.c_str());
      return !result.ok() ? 3 : cleared.ok() ? 0 : 4;
    });
  };
  struct stat made {};
  for (const auto& groups : {std::vector<gid_t>{}, std::vector<gid_t>{27, 100}}) {
    CHECK(run_as(groups) == 0);
    REQUIRE(::stat((folder / "made").c_str(), &made) == 0);
    CHECK(made.st_uid == (::geteuid() == 0 ? 65534 : ::geteuid()));
    CHECK((made.st_mode & 0777U) == 0640);
    ::unlink((folder / "made").c_str());
  }
}

TEST_CASE("describe_exit") {
  CHECK(describe_exit(shell("exit 0").status) == "exit code 0");
  CHECK(describe_exit(shell("exit 255").status) == "exit code 255");
  CHECK(describe_exit(shell("kill -9 $$").status) == "killed by signal 9 (SIGKILL)");
  CHECK(describe_exit(shell("kill -15 $$").status) == "killed by signal 15 (SIGTERM)");
}

TEST_CASE("reap waits until its deadline, no longer") {
  SpawnOptions options;
  options.argv = {"sleep", "1000"};
  const Child child = spawn(options);
  CHECK(reap(child, in(20ms)) == std::nullopt);
  CHECK(alive(child.id));
  CHECK(kill_and_reap(child) == SIGKILL);
  CHECK_FALSE(alive(child.id));
}
