// SPDX-License-Identifier: MIT
// Ephemeral runs that start from a saved ready state: what they share, what makes it void, and that
// nobody who is killed on the way leaves more than a state that is whole. The guest is the
// smallest.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "host/files.hpp"
#include "qmp/sync.hpp"

#include <csignal>
#include <filesystem>
#include <map>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;
namespace fs = std::filesystem;

namespace {

std::string warm(const std::string& more = {}) {
  // An agent would be waited for, which this guest has not.
  return fault::tiny("guest_agent = false\n" + more) + "[start]\nwarm = true\n";
}

/// What lies below every state's folder, with its bytes.
std::map<std::string, std::string> states(const Home& home) {
  std::map<std::string, std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(home.path() + "/data/.warm", ignored)) {
    if (entry.is_regular_file() && entry.path().filename() != "lock")
      out[entry.path().string()] = qlaunch::read_file(entry.path().string());
  }
  return out;
}

test::Result up(const Home& home, const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{"up", "--ephemeral", "tiny.toml", "--json"};
  words.insert(words.end(), more.begin(), more.end());
  auto result = home.run(words);
  CHECK_MESSAGE(result.code == 0, result.err);
  return result;
}

json vm_of(const test::Result& result) {
  auto json = json::parse(result.out, nullptr, false);
  REQUIRE(json.is_object());
  return json;
}

/// Its guest hears its power button, and nothing of it is left.
void expect_end(const Home& home, const json& vm) {
  const auto off = home.run({"shutdown", vm["name"], "--timeout", "30s"});
  CHECK_MESSAGE(off.code == 0, off.err);
  CHECK(contains(off.out, "the guest powered off"));
}

void expect_nothing_left(const Home& home) {
  CHECK(home.run({"list", "-q"}).out.empty());
  CHECK_MESSAGE(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(10)),
                qlaunch::join(home.processes(), "; "));
}

bool is_warm(const json& vm) {
  return vm["warm"].is_string();
}

std::string said(const Home& home, const json& vm) {
  return home.run({"log", vm["name"], "serial"}).out;
}

}  // namespace

TEST_CASE("the first ready boot is kept, and later runs start from it") {
  Home home;
  home.write("tiny.toml", warm());
  const auto first = vm_of(up(home));
  CHECK(is_warm(first));
  const auto kept = states(home);
  CHECK(kept.size() >= 5);
  const auto second = vm_of(up(home));
  CHECK(is_warm(second));
  CHECK(second["warm"] == first["warm"]);
  CHECK(second["name"] != first["name"]);
  // To its guest each is the machine whose state it has.
  CHECK(second["macs"] == first["macs"]);
  // It has greeted once, before it was saved.
  CHECK(contains(said(home, second), "hello from qlaunch"));
  CHECK(home.run({"wait", second["name"], "--for", "serial:hello from qlaunch"}).code == 0);

  // What one of them writes is its own: the guest echoes, and its disk lies on a frozen one.
  const std::string disk = second["disks"][0]["path"];
  CHECK(contains(disk, "/data/" + std::string(second["name"])));
  CHECK(contains(home.run({"status", second["name"]}).out, "ready state"));
  expect_end(home, first);
  expect_end(home, second);
  expect_nothing_left(home);
  CHECK(states(home) == kept);

  SUBCASE("eight at once") {
    std::vector<qlaunch::Child> runs;
    for (int run = 0; run < 8; ++run)
      runs.push_back(home.start({"up", "--ephemeral", "tiny.toml"}));
    for (const auto& run : runs) {
      REQUIRE(fault::ended(run));
      CHECK(fault::code_of(run) == 0);
    }
    const auto all = json::parse(home.run({"list", "--json"}).out);
    CHECK(all.size() == 8);
    for (const auto& vm : all) {
      CHECK(vm["state"] == "running");
      expect_end(home, vm);
    }
    CHECK(states(home) == kept);
  }
  SUBCASE("a word that changes nothing for the guest") {
    home.write("tiny.toml", warm("# more words\n") + "[shutdown]\ntimeout = \"30s\"\n");
    const auto again = up(home);
    CHECK(again.err.empty());
    CHECK(vm_of(again)["warm"] == first["warm"]);
    CHECK(states(home) == kept);
  }
  SUBCASE("--cold boots, and removes it") {
    const auto cold = vm_of(up(home, {"--cold"}));
    CHECK_FALSE(is_warm(cold));
    CHECK(states(home).empty());
    expect_end(home, cold);
    CHECK(is_warm(vm_of(up(home))));
  }
}

TEST_CASE("what makes the saved state void is said, and a new one takes its place") {
  Home home;
  home.write("base.raw", std::string(1 << 20, '\0'));
  home.write("qemu", "#!/bin/sh\nexec qemu-system-x86_64 \"$@\"\n");
  fs::permissions(home.file("qemu"), fs::perms(0755));
  const auto with_base = [](const std::string& more) {
    return warm(more) +
           "[[disk]]\nname = \"data\"\nbase = \"base.raw\"\n[qemu]\nbinary = \"./qemu\"\n";
  };
  home.write("tiny.toml", with_base(""));
  const auto first = vm_of(up(home));
  REQUIRE(is_warm(first));
  expect_end(home, first);
  std::string what;
  SUBCASE("a key of the profile") {
    home.write("tiny.toml", with_base("guest_sleep = true\n"));
    what = "`machine.guest_sleep`";
  }
  SUBCASE("a disk below") {
    home.write("base.raw", std::string(1 << 20, 'x'));
    what = "disk `data`";
  }
  SUBCASE("QEMU") {
    home.write("qemu", "#!/bin/sh\n# another one\nexec qemu-system-x86_64 \"$@\"\n");
    what = "QEMU";
  }
  SUBCASE("what it waits for") {
    auto text = with_base("");
    text.replace(text.find("hello from"), 10, "What is typed on");
    text.replace(text.find("What is typed on qlaunch"), 24, "What is typed");
    home.write("tiny.toml", text);
    what = "what it waits for";
  }
  SUBCASE("the state itself") {
    for (const auto& [path, bytes] : states(home)) {
      if (fs::path(path).filename() != "memory") continue;
      fs::permissions(path, fs::perms(0600));
      qlaunch::UniqueFd file(open(path.c_str(), O_WRONLY));
      REQUIRE(pwrite(file.get(), "x", 1, 100) == 1);
    }
    what = "is damaged";
  }
  const auto again = up(home);
  CHECK_MESSAGE(contains(again.err, what), again.err);
  CHECK(contains(again.err, "this run boots"));
  const auto vm = vm_of(again);
  CHECK(is_warm(vm));
  CHECK(vm["warm"] != first["warm"]);
  const auto third = up(home);
  CHECK(third.err.empty());
  CHECK(vm_of(third)["warm"] == vm["warm"]);
  // Of the old one nothing is left.
  std::size_t folders = 0;
  for (const auto& entry : fs::recursive_directory_iterator(home.path() + "/data/.warm"))
    folders += entry.path().filename().string().starts_with("state-") ? 1U : 0U;
  CHECK(folders == 1);
}

TEST_CASE("what cannot start warm boots, and says so once") {
  Home home;
  std::string why;
  SUBCASE("two runs would have one address") {
    auto text = warm();
    const std::string none = "mode = \"none\"";
    text.replace(text.find(none), none.size(), "mode = \"socket\"\nmulticast = \"230.0.0.1:4242\"");
    home.write("tiny.toml", text);
    why = "the same address";
  }
  SUBCASE("there is no moment to save it at") {
    const auto text = warm();
    home.write("tiny.toml", text.substr(0, text.find("[ready]")) + "[start]\nwarm = true\n");
    why = "no [ready]";
  }
  SUBCASE("QEMU cannot save a device") {
    home.write("tiny.toml",
               warm() + "[[disk]]\nname = \"fast\"\nsize = \"1 MiB\"\nbus = \"nvme\"\n");
    why = "nvme";
  }
  const auto first = up(home);
  CHECK_MESSAGE(contains(first.err, why), first.err);
  const auto second = up(home);
  CHECK_MESSAGE(second.err.empty(), second.err);
  for (const auto& result : {first, second}) {
    CHECK_FALSE(is_warm(vm_of(result)));
    if (why != "no [ready]") expect_end(home, vm_of(result));
  }
  // Not for other runs.
  home.write("tiny.toml", warm());
  CHECK(is_warm(vm_of(up(home))));
}

TEST_CASE("the ready state goes with its VM, and with its VM's name") {
  Home home;
  home.write("tiny.toml", warm());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  REQUIRE(home.run({"kill", "tiny"}).code == 0);
  expect_end(home, vm_of(up(home)));
  REQUIRE_FALSE(states(home).empty());
  SUBCASE("removed") {
    const auto removed = home.run({"remove", "tiny", "--yes"});
    CHECK_MESSAGE(removed.code == 0, removed.err);
  }
  SUBCASE("renamed") {
    CHECK(home.run({"rename", "tiny", "other"}).code == 0);
  }
  CHECK(states(home).empty());
}

TEST_CASE("two first runs at once") {
  Home home;
  home.write("tiny.toml", warm());
  const auto one = home.start({"up", "--ephemeral", "tiny.toml"});
  const auto two = home.start({"up", "--ephemeral", "tiny.toml"});
  for (const auto* run : {&one, &two}) {
    REQUIRE(fault::ended(*run));
    CHECK(fault::code_of(*run) == 0);
  }
  const auto all = json::parse(home.run({"list", "--json"}).out);
  CHECK(all.size() == 2);
  for (const auto& vm : all) expect_end(home, vm);
  CHECK(is_warm(vm_of(up(home))));
}

TEST_CASE("whoever is killed while a ready state is saved or loaded, the next run is well") {
  for (const auto* step : {"warm-booting", "warm-stopped", "warm-frozen", "warm-ended", "warm-kept",
                           "warm-waiting", "warm-loaded"}) {
    SUBCASE(step) {
      CAPTURE(std::string(step));
      Home home;
      home.write("tiny.toml", warm());
      home.environment = {std::string("QLAUNCH_TEST_STOP_AT=") + step};
      const auto command = home.start({"up", "--ephemeral", "tiny.toml", "--no-wait"});
      const int there = fault::stopped_at_step(home);
      home.environment.clear();
      REQUIRE(there > 1);
      SUBCASE("the launcher") {
        fault::kill_for_sure(there);
      }
      SUBCASE("its QEMU") {
        for (const int pid : fault::pids(home, fault::Who::qemu)) fault::kill_for_sure(pid);
        kill(there, SIGCONT);
      }
      REQUIRE(fault::ended(command));
      // A guest that stood still for it goes on, or its QEMU has ended.
      CHECK(eventually([&] {
        const auto all = json::parse(home.run({"list", "--json"}).out);
        return std::all_of(all.begin(), all.end(),
                           [](const json& vm) { return vm["state"] == "running"; });
      }));
      const auto next = up(home);
      const auto vm = vm_of(next);
      CHECK_MESSAGE(is_warm(vm), next.err);
      for (const auto& each : json::parse(home.run({"list", "--json"}).out)) {
        if (each["name"] == vm["name"]) continue;
        home.run({"kill", each["name"]});
      }
      expect_end(home, vm);
      expect_nothing_left(home);
    }
  }
}
