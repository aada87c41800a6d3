// SPDX-License-Identifier: MIT
// Runs of which nothing is left, whoever is killed, and several starts at once.
#include "hello.hpp"
#include "host/files.hpp"
#include "qmp/sync.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>
#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>

using nlohmann::json;
using test::contains;
using test::hello;
using test::Home;
namespace fs = std::filesystem;

namespace {

json list(const Home& home) {
  return json::parse(home.run({"list", "--json"}).out);
}

/// Every file of a folder with its bytes, but for locks: they name who had them last.
std::map<std::string, std::string> content(const std::string& folder) {
  std::map<std::string, std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(folder, ignored))
    if (entry.is_regular_file() && entry.path().filename() != "lock")
      out[entry.path().string()] = qlaunch::read_file(entry.path().string());
  return out;
}

/// What is left of VMs in all their folders.
std::vector<std::string> left(const Home& home) {
  std::vector<std::string> out;
  for (const auto* folder : {"data", "state", "run"}) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(home.path() + '/' + folder, ignored))
      out.push_back(entry.path().string());
  }
  return out;
}

int exit_code(const qlaunch::Child& child) {
  const auto status =
      qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(2));
  return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
}

}  // namespace

TEST_CASE("an ephemeral VM has a name of its own, and nothing of it is left") {
  Home home;
  home.write("web.toml", hello);
  const auto up = home.run({"up", "--ephemeral", "web.toml", "--json"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  const std::string name = json::parse(up.out)["name"];
  CHECK(name.starts_with("web-"));
  CHECK(json::parse(up.out)["ephemeral"] == true);
  CHECK(home.run({"status", name, "--get", "state"}).out == "running\n");
  // Its profile stands for it where there is no other VM of it.
  CHECK(contains(home.run({"status", "web.toml"}).out, name));

  SUBCASE("shut down") {
    CHECK(home.run({"shutdown", name}).code == 0);
  }
  SUBCASE("killed by qlaunch") {
    CHECK(home.run({"kill", name}).code == 0);
  }
  SUBCASE("killed by qlaunch without a keeper") {
    const auto keeper =
        qlaunch::identify(std::stoi(home.run({"status", name, "--get", "keeper"}).out));
    REQUIRE(keeper);
    const auto fd = qlaunch::open_pidfd(*keeper);
    kill(keeper->pid, SIGKILL);
    qlaunch::wait_exit(fd.get(), std::chrono::steady_clock::now() + std::chrono::minutes(1));
    CHECK(home.run({"kill", name}).code == 0);
  }
  SUBCASE("its QEMU killed") {
    kill(std::stoi(home.run({"status", name, "--get", "pid"}).out), SIGKILL);
    CHECK(test::eventually([&] { return left(home).empty(); }));
  }
  SUBCASE("its keeper killed, and then its QEMU") {
    const auto qemu = std::stoi(home.run({"status", name, "--get", "pid"}).out);
    const auto keeper = std::stoi(home.run({"status", name, "--get", "keeper"}).out);
    const auto fd = qlaunch::open_pidfd(*qlaunch::identify(qemu));
    kill(keeper, SIGKILL);
    kill(qemu, SIGKILL);
    qlaunch::wait_exit(fd.get(), std::chrono::steady_clock::now() + std::chrono::minutes(1));
    // By the next command, whichever it is.
    CHECK(test::eventually([&] {
      home.run({"list"});
      return left(home).empty();
    }));
  }
  CHECK(left(home).empty());
  CHECK(list(home).empty());
}

TEST_CASE("the disks that an ephemeral VM starts from stay as they are") {
  Home home;
  qlaunch::run_and_capture(
      home.program({"qemu-img", "create", "-q", "-f", "raw", home.file("data.raw"), "1M"}),
      std::chrono::minutes(1), 1 << 20);
  home.write("web.toml", hello.substr(0, hello.find("[[network]]")) +
                             "[[disk]]\nname = \"data\"\nfile = \"data.raw\"\nformat = \"raw\"\n"
                             "[[disk]]\nname = \"new\"\nfile = \"new.qcow2\"\nsize = \"1 MiB\"\n" +
                             hello.substr(hello.find("[[network]]")));
  SUBCASE("what is missing is made where only it finds it") {
    REQUIRE(home.run({"up", "--ephemeral", "web.toml"}).code == 0);
    CHECK_FALSE(fs::exists(home.file("new.qcow2")));
    const auto disks = list(home);
    REQUIRE(disks.size() == 1);
    REQUIRE(home.run({"kill", disks[0]["name"]}).code == 0);
    CHECK_FALSE(fs::exists(home.file("new.qcow2")));
  }
  SUBCASE("those of the profile's own VM lie below, and are not written") {
    REQUIRE(home.run({"up", "web.toml"}).code == 0);
    const auto busy = home.run({"up", "--ephemeral", "web.toml"});
    CHECK(busy.code == 3);
    CHECK(contains(busy.err, "in use by VM `web`"));
    REQUIRE(home.run({"shutdown", "web"}).code == 0);

    const auto before = content(home.path() + "/data");
    const auto files = content(home.path() + "/files");
    // Two of them share what lies below.
    REQUIRE(home.run({"up", "--ephemeral", "web.toml", "web"}).code == 0);
    const auto found = list(home);
    REQUIRE(found.size() == 3);
    const auto clash = home.run({"up", "web.toml"});
    CHECK(clash.code == 3);
    CHECK(contains(clash.err, "in use by VM `web-"));
    for (const auto& vm : found) {
      if (vm["state"] != "running") continue;
      const auto status = json::parse(home.run({"status", vm["name"], "--json"}).out);
      for (const auto& disk : status["disks"])
        CHECK(contains(disk["path"], "/data/" + std::string(vm["name"])));
      REQUIRE(home.run({"kill", vm["name"]}).code == 0);
    }
    CHECK(content(home.path() + "/data") == before);
    CHECK(content(home.path() + "/files") == files);
    CHECK(home.run({"up", "web.toml"}).code == 0);
  }
}

TEST_CASE("an ephemeral start that fails or is killed leaves nothing either") {
  Home home;
  home.write("web.toml", hello + "[qemu]\nargs = [\"-device\", \"no-such-device\"]\n");
  CHECK(home.run({"up", "--ephemeral", "web.toml"}).code == 1);
  CHECK(left(home).empty());

  home.write("web.toml", hello);
  for (int delay = 5; delay <= 125; delay += 20) {
    const auto starting = home.start({"up", "--ephemeral", "web.toml"});
    qlaunch::wait_exit(starting.pidfd.get(),
                       std::chrono::steady_clock::now() + std::chrono::milliseconds(delay));
    qlaunch::kill_and_reap(starting);
    // Where it came far enough there is a VM, and a command ends it.
    CHECK(test::eventually([&] {
      for (const auto& vm : list(home)) home.run({"kill", vm["name"]});
      return home.processes().empty();
    }));
    home.run({"list"});
    for (const auto& path : left(home)) {
      // A folder with nothing but a lock in it: killed before anything was made.
      std::error_code ignored;
      fs::remove(path + "/lock", ignored);
      CHECK_MESSAGE(fs::remove(path, ignored), path);
    }
  }
}

TEST_CASE("an ephemeral name that is taken is refused, and a renamed VM is found") {
  Home home;
  home.write("web.toml", hello);
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  REQUIRE(home.run({"shutdown", "web"}).code == 0);
  const auto taken = home.run({"up", "--ephemeral", "web.toml", "--name", "web"});
  CHECK(taken.code == 3);
  CHECK(contains(taken.err, "there is a VM `web`"));
  REQUIRE(home.run({"rename", "web", "site"}).code == 0);
  REQUIRE(home.run({"up", "--ephemeral", "web.toml", "--name", "web"}).code == 0);
  // It starts from the disk of the VM, whatever that is called now.
  CHECK(
      contains(qlaunch::read_file(home.path() + "/data/web/root.qcow2"), "/data/site/root.qcow2"));
  const auto refused = home.run({"rename", "web", "other"});
  CHECK(refused.code == 3);
  const auto below = home.run({"rename", "site", "other"});
  CHECK(below.code == 3);
  CHECK(contains(below.err, "web"));
  CHECK(home.run({"reload", "web"}).code == 3);
  REQUIRE(home.run({"kill", "web"}).code == 0);
  CHECK(home.run({"rename", "site", "other"}).code == 0);
}

TEST_CASE("several VMs start side by side, and a failure is only its own") {
  Home home;
  for (const auto* name : {"a", "b", "c"}) home.write(std::string(name) + ".toml", hello);
  home.write("wrong.toml", hello + "[machine]\nmemory = \"lots\"\n");
  home.write("late.toml", hello.substr(0, hello.find("[ready]")) +
                              "[ready]\nwhen = \"serial:what it never says\"\n");
  const auto up = home.run(
      {"up", "a.toml", "wrong.toml", "late.toml", "b.toml", "c.toml", "a.toml", "--timeout", "2s"});
  CHECK(up.code == 4);
  for (const auto* name : {"a", "b", "c"}) CHECK(contains(up.out, std::string(name) + " runs"));
  CHECK_FALSE(contains(up.out, "already"));
  CHECK(contains(up.err, "is not a size"));
  CHECK(contains(up.err, "did not come out"));
  CHECK(list(home).size() == 4);
  const auto again = home.run({"up", "a.toml", "b.toml", "--json"});
  CHECK(again.code == 0);
  const auto both = json::parse(again.out);
  REQUIRE(both.size() == 2);
  CHECK(both[0]["name"] == "a");
  CHECK(both[1]["name"] == "b");
}

TEST_CASE("many of which nothing is left start and end at once") {
  Home home;
  home.write("web.toml", hello);
  const auto up = home.run({"up", "--ephemeral", "web.toml", "web.toml", "web.toml", "web.toml",
                            "web.toml", "web.toml", "web.toml", "web.toml"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  std::vector<std::string> words{"kill"};
  for (const auto& vm : list(home)) words.push_back(vm["name"]);
  CHECK(words.size() == 9);
  // Some keepers are done before the command looks for them.
  const auto killed = home.run(words);
  CHECK_MESSAGE(killed.code == 0, killed.err);
  CHECK(left(home).empty());
}

TEST_CASE("Ctrl-C while several start undoes or leaves each, and says so") {
  Home home;
  const auto late =
      hello.substr(0, hello.find("[ready]")) + "[ready]\nwhen = \"serial:what it never says\"\n";
  for (const auto* name : {"a", "b"}) home.write(std::string(name) + ".toml", late);
  const auto starting = home.start({"up", "a.toml", "b.toml"});
  REQUIRE(test::eventually([&] {
    int running = 0;
    for (const auto& vm : list(home)) running += vm["state"] == "running" ? 1 : 0;
    return running == 2;
  }));
  kill(starting.id.pid, SIGINT);
  CHECK(exit_code(starting) == 130);
  const auto said = qlaunch::read_file(home.path() + "/err");
  CHECK(contains(said, "a goes on running"));
  CHECK(contains(said, "b goes on running"));
}

TEST_CASE("the console of up shows the first byte, and leaving it leaves the VM") {
  Home home;
  home.write("web.toml", hello);
  const auto shown = home.run_with_input({"up", "--console", "web.toml"}, "");
  CHECK_MESSAGE(shown.code == 0, shown.err);
  // From the very start: what the firmware or the boot sector wrote first.
  const auto log = qlaunch::read_file(home.path() + "/state/web/serial.log");
  REQUIRE_FALSE(shown.out.empty());
  CHECK(log.starts_with(shown.out.substr(0, 20)));
  CHECK(contains(shown.out, "hello from qlaunch"));
  CHECK(home.run({"status", "web", "--get", "state"}).out == "running\n");

  home.write("mute.toml", hello.substr(0, hello.find("[ready]")) + "[serial]\ntype = \"none\"\n");
  const auto mute = home.run({"up", "--console", "mute.toml"});
  CHECK(mute.code == 3);
  CHECK(contains(mute.err, "no serial port"));
  CHECK_FALSE(contains(home.run({"list", "-q"}).out, "mute"));
}

TEST_CASE("a CD is booted first, once, and the disk after a reset") {
  Home home;
  // Two guests that say the same: which disk the firmware reads shows in the order it is told.
  home.write("web.toml", hello);
  qlaunch::run_and_capture(
      home.program({"qemu-img", "create", "-q", "-f", "raw", home.file("inst.iso"), "1M"}),
      std::chrono::minutes(1), 1 << 20);
  const auto missing = home.run({"up", "web.toml", "--cdrom", "nothing.iso"});
  CHECK(missing.code == 2);
  CHECK(contains(missing.err, "nothing.iso"));
  const auto up = home.run({"up", "web.toml", "--cdrom", "inst.iso", "--no-wait"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  std::string command_line;
  for (const auto& process : home.processes())
    if (contains(process, "-machine")) command_line = process;
  const auto order_of = [&](const std::string& drive) {
    const auto at = command_line.find("\"id\":\"drive-" + drive + "\"");
    REQUIRE(at != std::string::npos);
    const auto index = command_line.find("\"bootindex\":", at) + 12;
    return std::stoi(command_line.substr(index));
  };
  CHECK(order_of("cdrom-once") < order_of("root"));
  const auto again = home.run({"up", "web.toml", "--cdrom", "inst.iso"});
  CHECK(again.code == 3);
  // What the firmware is told at the next reset is asked of QEMU itself.
  const auto index_of = [&](const std::string& drive) {
    qmp::SyncClient client(home.path() + "/run/web/qmp.sock");
    return client
        .execute("qom-get",
                 {{"path", "/machine/peripheral/drive-" + drive}, {"property", "bootindex"}})
        .get<int>();
  };
  CHECK(index_of("cdrom-once") > index_of("root"));
  REQUIRE(home.run({"kill", "web"}).code == 0);
  REQUIRE(home.run({"up", "web.toml"}).code == 0);
  for (const auto& process : home.processes()) CHECK_FALSE(contains(process, "cdrom-once"));
}
