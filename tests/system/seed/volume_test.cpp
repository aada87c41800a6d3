// SPDX-License-Identifier: MIT
// The volume as a file: whose it is, when it is made anew, what is in no other place, and what else
// a VM does with it attached. The guest is the smallest one.
#include "core/text.hpp"
#include "host/files.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

namespace fs = std::filesystem;
using test::contains;
using test::Home;

namespace {

const std::string small_told =
    "[[disk]]\nimage = \"builtin:hello\"\n"
    "[ready]\nwhen = \"serial:hello from qlaunch\"\n[guest]\nuser = \"dev\"\n";

std::string volume(const Home& home, const std::string& vm) {
  return home.path() + "/data/" + vm + "/cidata.iso";
}

struct stat look(const std::string& path) {
  struct stat status {};
  REQUIRE_MESSAGE(stat(path.c_str(), &status) == 0, path);
  return status;
}

std::string instance(const Home& home, const std::string& vm) {
  const auto text = qlaunch::read_file(volume(home, vm));
  const auto at = text.find("instance-id: ");
  REQUIRE(at != std::string::npos);
  return text.substr(at, text.find('\n', at) - at);
}

void up(const Home& home, const std::vector<std::string>& words) {
  auto all = words;
  all.insert(all.begin(), "up");
  const auto done = home.run(all);
  REQUIRE_MESSAGE(done.code == 0, done.err);
}

void off(const Home& home, const std::string& vm) {
  const auto done = home.run({"shutdown", vm});
  REQUIRE_MESSAGE(done.code == 0, done.err);
}

}  // namespace

TEST_CASE("the volume is its owner's alone, and made anew only where it says something else") {
  const Home home;
  home.write("vm.toml", small_told);
  up(home, {"vm.toml"});
  const auto path = volume(home, "vm");
  const auto first = look(path);
  CHECK((first.st_mode & 07777) == 0600);
  CHECK(first.st_uid == test::user());
  const auto id = instance(home, "vm");
  off(home, "vm");

  up(home, {"vm.toml"});
  CHECK(look(path).st_ino == first.st_ino);
  CHECK(look(path).st_mtim.tv_nsec == first.st_mtim.tv_nsec);
  off(home, "vm");

  // A script is run by what the volume holds: cloud-init need not begin anew.
  home.write("vm.toml", small_told + "[[guest.run]]\nscript = \"true\"\n");
  up(home, {"vm.toml"});
  CHECK(look(path).st_ino != first.st_ino);
  CHECK(instance(home, "vm") == id);
  off(home, "vm");

  home.write("vm.toml", small_told + "timezone = \"UTC\"\n");
  up(home, {"vm.toml"});
  CHECK(instance(home, "vm") != id);
  // Somebody's hand in it: what is there is not what the profile says.
  off(home, "vm");
  fs::resize_file(path, 40000);
  const auto broken = look(path).st_ino;
  fs::resize_file(path, 33000);
  up(home, {"vm.toml"});
  CHECK(look(path).st_ino != broken);
  off(home, "vm");
  const auto gone = home.run({"remove", "vm", "--yes"});
  CHECK_MESSAGE(gone.code == 0, gone.err);
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("the host key is in the volume and in no plan, record, log or command line") {
  const Home home;
  home.write("vm.toml", small_told);
  up(home, {"vm.toml"});
  const auto key = qlaunch::read_file(home.path() + "/data/vm/ssh/keys/ssh_host_ed25519_key");
  const auto lines = qlaunch::split(key, '\n');
  REQUIRE(lines.size() > 2);
  const auto secret = lines[2];
  CHECK(contains(qlaunch::read_file(volume(home, "vm")), secret));
  for (const auto& entry : fs::recursive_directory_iterator(home.path())) {
    if (!entry.is_regular_file()) continue;
    const auto file = entry.path().string();
    if (file == volume(home, "vm") || file.ends_with("/ssh_host_ed25519_key")) continue;
    CAPTURE(file);
    CHECK_FALSE(contains(qlaunch::read_file(file), secret));
  }
  for (const auto& process : home.processes()) CHECK_FALSE(contains(process, secret));
  CHECK_FALSE(contains(home.run({"args", "vm.toml"}).out, secret));
  CHECK_FALSE(contains(home.run({"args", "vm.toml", "--json"}).out, secret));
}

TEST_CASE("suspended, saved, reverted, cloned and renamed with the volume attached") {
  const Home home;
  home.write("vm.toml", small_told);
  up(home, {"vm.toml"});
  const auto id = instance(home, "vm");
  const auto say = [&](const std::vector<std::string>& words) {
    const auto done = home.run(words);
    CHECK_MESSAGE(done.code == 0, words.front() << ": " << done.err);
  };
  say({"snapshot", "create", "vm", "clean"});
  say({"suspend", "vm"});
  up(home, {"vm"});
  say({"snapshot", "revert", "vm", "clean", "--discard"});
  CHECK(instance(home, "vm") == id);
  say({"clone", "vm", "twin"});
  off(home, "vm");
  up(home, {"twin"});
  CHECK(instance(home, "twin") != id);
  CHECK(qlaunch::read_file(home.path() + "/data/vm/ssh/keys/id_ed25519.pub") !=
        qlaunch::read_file(home.path() + "/data/twin/ssh/keys/id_ed25519.pub"));
  // The guest of a renamed VM notices nothing.
  say({"rename", "vm", "other"});
  up(home, {"other"});
  CHECK(instance(home, "other") == id);
  say({"snapshot", "revert", "other", "clean", "--discard"});
}

TEST_CASE("a run that starts from a ready state has the keys and the words of that guest") {
  const Home home;
  home.write("vm.toml", small_told + "[start]\nwarm = true\n");
  up(home, {"vm.toml", "--ephemeral", "--name", "first"});
  const auto keys = [&](const std::string& vm) {
    return qlaunch::read_file(home.path() + "/data/" + vm + "/ssh/keys/id_ed25519.pub");
  };
  const auto first = keys("first");
  const auto id = instance(home, "first");
  const auto second = home.run({"up", "vm.toml", "--ephemeral", "--name", "second"});
  REQUIRE_MESSAGE(second.code == 0, second.err);
  CHECK_MESSAGE(contains(second.out, "second starts from the ready state"),
                second.out << second.err);
  CHECK(instance(home, "second") == id);
  CHECK(keys("second") == first);
  CHECK(qlaunch::read_file(home.path() + "/data/second/ssh/keys/ssh_host_ed25519_key") ==
        qlaunch::read_file(home.path() + "/data/first/ssh/keys/ssh_host_ed25519_key"));
  CHECK((look(home.path() + "/data/second/ssh/keys/id_ed25519").st_mode & 07777) == 0600);
}

TEST_CASE("the script of `args` makes the volume in its own folder") {
  const Home home;
  home.write("vm.toml", small_told);
  const auto args = home.run({"args", "vm.toml"});
  REQUIRE_MESSAGE(args.code == 0, args.err);
  const auto script = home.write("run.sh", args.out);
  auto options = home.program({"/bin/sh", script});
  options.stdout_path = home.path() + "/script-out";
  options.stderr_path = home.path() + "/script-out";
  options.new_session = true;
  const auto child = qlaunch::spawn(options);
  const auto made = [&] {
    for (const auto& entry : fs::directory_iterator("/tmp")) {
      if (!contains(entry.path().filename().string(), "qlaunch-args.")) continue;
      struct stat status {};
      const auto path = entry.path().string() + "/cidata.iso";
      const auto log = qlaunch::try_read_file(entry.path().string() + "/serial.log");
      if (stat(path.c_str(), &status) == 0 && status.st_uid == test::user() &&
          contains(log.value_or(""), "hello from qlaunch"))
        return (status.st_mode & 07777) == 0600;
    }
    return false;
  };
  CHECK_MESSAGE(test::eventually(made),
                qlaunch::try_read_file(home.path() + "/script-out").value_or(""));
  CHECK_FALSE(fs::exists(home.path() + "/data/vm/cidata.iso"));
  kill(-child.id.pid, SIGTERM);
  CHECK(qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1)));
}

TEST_CASE("without its part that makes volumes, qlaunch says so") {
  const Home home;
  home.write("vm.toml", small_told);
  fs::create_directory(home.path() + "/bin");
  fs::copy_file(test::binary(), home.path() + "/bin/qlaunch");
  fs::permissions(home.path(), fs::perms{0755});
  auto options = home.program({home.path() + "/bin/qlaunch", "up", "vm.toml"});
  const auto done = qlaunch::run_and_capture(options, std::chrono::minutes(1), 1 << 20);
  CHECK(done.status != 0);
  CHECK(contains(done.err, "`qlaunch-seed`, the part of qlaunch that makes volumes, is not found"));
  CHECK(contains(done.err, "`meson install` puts it to"));
  CHECK_FALSE(fs::exists(volume(home, "vm")));
  CHECK(home.run({"list", "-q"}).out == "");
}
