// SPDX-License-Identifier: MIT
// Folders of the host inside a real Linux: what root there can do to them, and what not.
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

using micro::Guest;
using micro::picture;
using test::contains;
using test::eventually;
using test::Home;

namespace {

namespace fs = std::filesystem;

/// A folder with something in it to spoil.
std::string precious(const Home& home, const std::string& name) {
  home.write(name + "/kept", "as it was");
  home.write(name + "/deep/kept too", "");
  return home.file(name);
}

/// Everything root in the guest may try against a read-only share.
void expect_unspoilt(const Guest& guest, const std::string& mount, const std::string& folder) {
  const auto before = picture(folder);
  CHECK(guest.say("cat " + mount + "/kept") == "as it was");
  // The guest's own read-only flag would hide whether the host's side holds.
  guest.ssh("mount -o remount,rw " + mount);
  for (const std::string attempt :
       {"touch M/new", "mkdir M/new", "rm M/kept", "rmdir M/deep", "mv M/kept M/moved",
        "chmod 777 M/kept", "chown 1:1 M/kept", "ln -s kept M/link", "ln M/kept M/hard",
        "echo spoilt > M/kept", "echo spoilt >> M/kept", "touch M/kept", "mknod M/node c 1 3",
        "rm -r M/deep", "truncate -s 0 M/kept"}) {
    auto command = attempt;
    for (auto at = command.find("M/"); at != std::string::npos; at = command.find("M/", at))
      command.replace(at, 1, mount);
    const auto result = guest.ssh(command);
    CHECK_MESSAGE(result.code != 0, command);
    CHECK_MESSAGE(contains(result.err, "Read-only file system"), command << ": " << result.err);
  }
  CHECK(picture(folder) == before);
}

bool takes_attributes(const Home& home) {
  const auto file = home.write("attributes", "");
  return setxattr(file.c_str(), "user.virtfs.probe", "1", 1, 0) == 0;
}

}  // namespace

TEST_CASE("9p shares: one to write to, one that even root in the guest cannot change") {
  if (micro::skipped()) return;
  Home home;
  if (!takes_attributes(home))
    return micro::skip("the file system of /tmp has no user attributes, which mapped-xattr needs");
  const auto open = precious(home, "open, with space");
  const auto closed = precious(home, "closed, with space");
  const Guest guest(
      home, "nine",
      {.body = micro::share("open", open, "9p", false) + micro::share("closed", closed, "9p", true),
       .words = "share=9p:open:/mnt/open share=9p:closed:/mnt/closed",
       .ready = "serial:micro: ready"});

  guest.say(
      "echo from the guest > /mnt/open/made && chmod 640 /mnt/open/made && "
      "chown 12:34 /mnt/open/made");
  CHECK(guest.say("stat -c '%u %g %a' /mnt/open/made") == "12 34 640");
  CHECK(qlaunch::read_file(open + "/made") == "from the guest\n");
  // Owner and mode of the guest are notes on the host: nothing there belongs to somebody else.
  struct stat made {};
  REQUIRE(stat((open + "/made").c_str(), &made) == 0);
  CHECK(made.st_uid == test::user());
  CHECK((made.st_mode & 0077U) == 0);
  home.write("open, with space/from the host", "seen");
  CHECK(guest.say("cat '/mnt/open/from the host'") == "seen");
  guest.say("rm /mnt/open/kept");
  CHECK_FALSE(fs::exists(open + "/kept"));

  expect_unspoilt(guest, "/mnt/closed", closed);
  guest.shut_down();
}

TEST_CASE("virtiofs shares: one to write to, one that even root in the guest cannot change") {
  if (micro::skipped()) return;
  Home home;
  const auto open = precious(home, "open, with space");
  const auto closed = precious(home, "closed, with space");
  const auto body = micro::share("open", open, "virtiofs", false) +
                    micro::share("closed", closed, "virtiofs", true);
  home.write("probe.toml", body);
  if (contains(home.run({"check", "probe.toml"}).err, "virtiofsd, which is not installed"))
    return micro::skip("virtiofsd is not installed");
  const Guest guest(home, "fs",
                    {.body = body,
                     .words = "share=virtiofs:open:/mnt/open share=virtiofs:closed:/mnt/closed",
                     .ready = "serial:micro: ready"});

  guest.say(
      "cd /mnt/open && echo from the guest > first && mv first made && chmod 640 made && "
      "mkdir folder && chmod 710 folder && echo more >> made && ln -s made link");
  CHECK(guest.say("stat -c '%a %u %g' /mnt/open/made /mnt/open/folder") == "640 0 0\n710 0 0");
  CHECK(qlaunch::read_file(open + "/made") == "from the guest\nmore\n");
  CHECK_FALSE(fs::exists(open + "/first"));
  for (const std::string name : {"/made", "/folder", "/link"}) {
    struct stat made {};
    REQUIRE(lstat((open + name).c_str(), &made) == 0);
    CHECK_MESSAGE(made.st_uid == test::user(), name);
    CHECK_MESSAGE(made.st_gid == (geteuid() == 0 ? test::user() : getegid()), name);
  }
  guest.say("rmdir /mnt/open/folder");
  CHECK_FALSE(fs::exists(open + "/folder"));
  home.write("open, with space/from the host", "seen");
  CHECK(guest.say("cat '/mnt/open/from the host'") == "seen");
  guest.say("rm /mnt/open/kept");
  CHECK_FALSE(fs::exists(open + "/kept"));

  expect_unspoilt(guest, "/mnt/closed", closed);

  // A helper that dies: the VM goes on, and it is said what no longer works.
  CHECK(guest.status()["problems"].empty());
  const auto helpers = guest.status()["helpers"];
  REQUIRE(helpers.size() == 2);
  const auto& victim = contains(helpers[0]["serves"], "`open`") ? helpers[0] : helpers[1];
  REQUIRE(contains(victim["serves"], "`open`"));
  REQUIRE(kill(victim["pid"].get<pid_t>(), SIGKILL) == 0);
  REQUIRE(eventually([&] { return !guest.status()["problems"].empty(); }));
  const auto after = guest.status();
  CHECK(after["problems"].size() == 1);
  CHECK(contains(after["problems"][0], "share `open` no longer works"));
  CHECK(contains(home.run({"status", "fs"}).out, "no longer works"));
  CHECK(after["state"] == "running");
  CHECK(eventually([&] { return guest.events("HELPER_EXITED") == 1; }));
  CHECK(guest.say("cat /mnt/closed/kept") == "as it was");
  guest.shut_down();
}

TEST_CASE("virtiofs by the Rust virtiofsd: users of the guest make files, and you own them") {
  if (micro::skipped()) return;
  const auto virtiofsd = micro::rust_virtiofsd();
  if (virtiofsd.empty()) return;
  Home home;
  const auto open = precious(home, "open, with space");
  const auto closed = precious(home, "closed, with space");
  const Guest guest(home, "rust",
                    {.body = "qemu.virtiofsd = \"" + virtiofsd + "\"\n" +
                             micro::share("open", open, "virtiofs", false) +
                             micro::share("closed", closed, "virtiofs", true),
                     .words = "share=virtiofs:open:/mnt/open share=virtiofs:closed:/mnt/closed",
                     .ready = "serial:micro: ready"});

  // The guest's user of the same number as the host's, and root: both write, and one user of the
  // host owns it all.
  const auto user = std::to_string(test::user());
  guest.say("echo you:x:" + user + ':' + user + "::/:/bin/sh >> /etc/passwd");
  guest.say("su you -c 'echo mine > /mnt/open/mine && mkdir /mnt/open/deep/er'");
  guest.say(
      "cd /mnt/open && echo root > roots && mv roots moved && chmod 640 moved && ln -s moved l");
  CHECK(guest.say("stat -c %u /mnt/open/mine /mnt/open/moved") == user + '\n' + user);
  CHECK(qlaunch::read_file(open + "/mine") == "mine\n");
  CHECK(qlaunch::read_file(open + "/moved") == "root\n");
  CHECK_FALSE(fs::exists(open + "/roots"));
  for (const std::string name : {"/mine", "/moved", "/deep/er", "/l"}) {
    struct stat made {};
    REQUIRE(lstat((open + name).c_str(), &made) == 0);
    CHECK_MESSAGE(made.st_uid == test::user(), name);
  }
  home.write("open, with space/from the host", "seen");
  CHECK(guest.say("su you -c \"cat '/mnt/open/from the host'\"") == "seen");
  expect_unspoilt(guest, "/mnt/closed", closed);
  guest.shut_down();
}

TEST_CASE("the same virtiofs shares of an ordinary user who is in several groups") {
  if (geteuid() != 0) return micro::skip("takes root, to become one");
  if (micro::skipped()) return;
  const auto result = micro::as_ordinary_user("virtiofs shares: one to write to*");
  if (contains(result.out, "[skip]")) return micro::skip("skipped for an ordinary user too");
  CHECK_MESSAGE(result.code == 0, result.out << result.err);
  CHECK_MESSAGE(contains(result.out, "1 passed | 0 failed"), result.out << result.err);
}

TEST_CASE("a host without user namespaces: the share is named, and the way out") {
  Home home;
  home.write("folder/kept", "");
  home.write("vm.toml", "display.type = \"none\"\n" +
                            micro::share("open", home.file("folder"), "virtiofs", false));
  // An ordinary user in a place where no more namespaces may be made.
  const std::string fence = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
  const auto fenced = [&](const std::vector<std::string>& words) {
    std::vector<std::string> argv{
        "unshare", "--map-user=65534", "--map-group=65534", "--keep-caps", "sh", "-c", fence, "sh"};
    argv.insert(argv.end(), words.begin(), words.end());
    const auto done =
        qlaunch::run_and_capture(home.program(argv), std::chrono::minutes(1), std::size_t{1} << 20);
    return test::Result{WEXITSTATUS(done.status), done.out, done.err};
  };
  if (fenced({"true"}).code != 0) return micro::skip("this host gives no user namespaces at all");
  if (!contains(fenced({test::binary(), "doctor"}).out, "the older one that came"))
    return micro::skip("QEMU's own virtiofsd is not the one that would be taken");
  for (const std::string command : {"check", "up"}) {
    const auto result = fenced({test::binary(), command, "vm.toml"});
    CHECK(result.code != 0);
    CHECK_MESSAGE(contains(result.err, "vm.toml:5:10"), result.err);
    CHECK_MESSAGE(contains(result.err, "cannot make a user namespace: No space left on device"),
                  result.err);
    CHECK_MESSAGE(contains(result.err, "driver = \"9p\""), result.err);
  }
}
