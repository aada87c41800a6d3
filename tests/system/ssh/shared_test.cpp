// SPDX-License-Identifier: MIT
// The connection that sessions share, where the guest behind it cannot answer or knows nothing of
// it any more.
#include "ssh/parts.hpp"

#include <cstdlib>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace ssh_test;
using test::contains;
using test::Home;

namespace {

/// The guest's server is dropbear, to which sessions share no connection, since it mistakes one for
/// another where they overlap. Here none do: an ssh that calls the server something else.
void share_with_dropbear(Home& home) {
  const auto program =
      home.write("bin/ssh",
                 "#!/bin/sh\n"
                 "case $* in *ControlMaster=yes*) ;; *) exec /usr/bin/ssh \"$@\" ;; "
                 "esac\n"
                 "said=$(mktemp)\n"
                 "/usr/bin/ssh \"$@\" 2>\"$said\"\n"
                 "code=$?\n"
                 "sed s/dropbear/another/ \"$said\" >&2\n"
                 "rm \"$said\"\n"
                 "exit $code\n");
  REQUIRE(chmod(program.c_str(), 0755) == 0);
  REQUIRE(chown(home.file("bin").c_str(), test::user(), test::user()) == 0);
  home.environment.push_back("PATH=" + home.file("bin") + ':' + std::getenv("PATH"));
}

}  // namespace

TEST_CASE("a connection whose guest was paused, went back to a snapshot, crashed or began anew") {
  if (micro::skipped()) return;
  Home home;
  take_key(home);
  share_with_dropbear(home);
  const micro::Guest guest(home, "box", recipe());
  const auto done = [&](const std::vector<std::string>& words) {
    const auto result = home.run(words);
    CHECK_MESSAGE(result.code == 0, result.err);
    return result;
  };
  // A session that waits for ever is killed, and fails the test.
  const auto session = [&](const std::string& command) {
    return home.run({"ssh", "root@box", "--", command}, std::chrono::minutes(1));
  };
  CHECK(session("true").code == 0);
  CHECK(shared_connections(home).size() == 1);

  // Paused: told at once, and its sessions and their connection outlast it.
  Fed before(home, {test::binary(), "ssh", "root@box", "--", "echo begun; read -r it; echo $it"},
             "before");
  CHECK(test::eventually([&] { return contains(before.out(), "begun"); }));
  done({"pause", "box"});
  const auto paused = session("true");
  CHECK(paused.code == 125);
  CHECK(contains(paused.err, "qlaunch resume box"));
  done({"resume", "box"});
  before.feed("still here\n");
  CHECK(before.end() == 0);
  CHECK(contains(before.out(), "still here"));
  CHECK(session("echo again").out == "again\n");

  // The guest of the snapshot knows nothing of a connection that was made after it.
  end_shared(home);
  done({"snapshot", "create", "box", "then"});
  CHECK(session("touch /tmp/lost").code == 0);
  done({"snapshot", "revert", "box", "then", "--discard"});
  const auto back = session("test -e /tmp/lost; echo reached $?");
  CHECK(back.out == "reached 1\n");
  CHECK(back.err.empty());
  home.write("file", "copied");
  done({"copy", "file", "root@box:/tmp/file"});

  done({"reset", "box"});
  const auto anew = session("test -e /tmp/file; echo reached $?");
  CHECK(anew.out == "reached 1\n");
  CHECK(anew.err.empty());

  // It boots anew by itself, without a word to anybody.
  const auto resets = guest.events("RESET");
  CHECK(session("(sleep 1; echo b > /proc/sysrq-trigger) > /dev/null 2>&1 &").code == 0);
  CHECK(test::eventually([&] { return guest.events("RESET") > resets; }));
  const auto crashed = session("echo reached");
  CHECK(crashed.out == "reached\n");
  CHECK(crashed.err.empty());
}
