// SPDX-License-Identifier: MIT
// Clones cut off at each step, with and without the VM's QEMU, and a disk that is full: there is no
// half-made clone, and the parent has its data.
#include "disk/parts.hpp"
#include "host/files.hpp"
#include "support/run.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/mount.h>

using nlohmann::json;
using test::contains;
using test::Home;
namespace fs = std::filesystem;

namespace {

std::string data_disk(const Home& home, const std::string& vm) {
  return parts::data(home, vm, "data.qcow2");
}

bool known(const Home& home, const std::string& vm) {
  return contains('\n' + home.run({"list", "-q"}).out, '\n' + vm + '\n');
}

/// What holds after any fault; `made` says whether the clone is there.
void expect_sound(const Home& home, bool made) {
  CHECK(known(home, "test") == made);
  for (const auto& entry : fs::directory_iterator(home.path() + "/data"))
    CHECK_FALSE(entry.path().filename().string().starts_with(".making-"));
  CHECK(parts::has(home, data_disk(home, "web"), 1, 0));
  CHECK(parts::damage(home, data_disk(home, "web")).empty());
  if (made) {
    CHECK(parts::has(home, data_disk(home, "test"), 1, 0));
    parts::ok(home, {"remove", "test", "--yes"});
  }
  // The name is free, the parent starts and can be cloned.
  parts::ok(home, {"clone", "web", "test"});
  CHECK(parts::has(home, data_disk(home, "test"), 1, 0));
  parts::write(home, data_disk(home, "test"), 8, 0);
  parts::ok(home, {"up", "web"});
  parts::write_running(home, "web", "data", 9, 128);
  parts::ok(home, {"kill", "web"});
  CHECK(parts::has(home, data_disk(home, "web"), 1, 0));
  CHECK(parts::has(home, data_disk(home, "web"), 9, 128));
  CHECK(parts::has(home, data_disk(home, "test"), 8, 0));
  parts::ok(home, {"remove", "test", "web", "--yes"});
  for (const auto& entry : fs::recursive_directory_iterator(home.path() + "/data"))
    CHECK_MESSAGE(entry.path().extension() != ".qcow2", entry.path().string());
}

bool is_made(const std::string& step) {
  return step == "clone-done";
}

}  // namespace

TEST_CASE("killed while it clones a stopped VM") {
  for (const std::string step : {"clone-staged", "clone-based", "clone-swapped", "clone-linked",
                                 "clone-recorded", "clone-done"}) {
    CAPTURE(step);
    Home home;
    home.write("web.toml", parts::profile());
    parts::ok(home, {"up", "web.toml"});
    parts::ok(home, {"kill", "web"});
    parts::write(home, data_disk(home, "web"), 1, 0);
    parts::kill_at(home, step, {"clone", "web", "test"});
    // What it left stands in nobody's way.
    parts::ok(home, {"disk", "resize", "web:data", "+1MiB"});
    expect_sound(home, is_made(step));
  }
}

TEST_CASE("killed while it clones a running VM, alone or with QEMU") {
  for (const std::string step : {"clone-staged", "clone-based", "clone-noted", "clone-frozen",
                                 "clone-linked", "clone-recorded", "clone-done"}) {
    for (const bool qemu_too : {false, true}) {
      CAPTURE(step);
      CAPTURE(qemu_too);
      Home home;
      home.write("web.toml", parts::profile());
      parts::ok(home, {"up", "web.toml"});
      parts::write_running(home, "web", "data", 1, 0);
      parts::kill_at(home, step, {"clone", "web", "test"});
      // What the guest writes now is in whatever file QEMU has open, and has to be found again.
      if (!qemu_too) {
        parts::write_running(home, "web", "data", 5, 64);
        parts::ok(home, {"disk", "resize", "web:data", "12MiB"});
        parts::ok(home, {"kill", "web"});
        CHECK(parts::has(home, data_disk(home, "web"), 5, 64));
      } else {
        const auto pid =
            json::parse(parts::ok(home, {"status", "web", "--json"})).at("pid").get<int>();
        REQUIRE(kill(pid, SIGKILL) == 0);
        CHECK(test::eventually([&] {
          return json::parse(home.run({"status", "web", "--json"}).out).at("state") == "stopped";
        }));
        // Nothing was flushed since; what was, is there.
        parts::ok(home, {"disk", "resize", "web:data", "+1MiB"});
      }
      expect_sound(home, is_made(step));
    }
  }
}

TEST_CASE("Ctrl-C in the middle of a copy leaves nothing") {
  Home home;
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::ok(home, {"kill", "web"});
  parts::write(home, data_disk(home, "web"), 1, 0);
  std::vector<std::string> words{test::binary(), "clone", "web", "test", "--copy"};
  auto options = home.program(words);
  options.environment.push_back("QLAUNCH_TEST_STOP_AT=clone-staged");
  const auto command = qlaunch::spawn(options);
  REQUIRE(test::eventually([&] { return qlaunch::stopped(command.id); }));
  qlaunch::send_signal(command.id, SIGINT);
  qlaunch::send_signal(command.id, SIGCONT);
  const auto status =
      qlaunch::reap(command, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status);
  CHECK(WEXITSTATUS(*status) == 130);
  CHECK_FALSE(known(home, "test"));
  CHECK_FALSE(fs::exists(home.path() + "/data/test"));
  expect_sound(home, false);
}

TEST_CASE("a full disk: the clone is refused or undone, and says so") {
  Home home;
  // The data folder on a small filesystem of its own; what root mounts, its owner may use.
  const auto data = home.path() + "/data";
  fs::create_directories(data);
  const auto options = "size=6m,mode=0700,uid=" + std::to_string(test::user());
  if (mount("tmpfs", data.c_str(), "tmpfs", 0, options.c_str()) != 0) {
    std::printf("[skip] a full disk: no filesystem can be mounted here\n");
    return;
  }
  struct Unmount {
    ~Unmount() { umount2(path.c_str(), MNT_DETACH); }
    std::string path;
  } unmount{data};
  home.write("web.toml", parts::profile());
  parts::ok(home, {"up", "web.toml"});
  parts::ok(home, {"kill", "web"});
  // 2 MiB of data, and a file that leaves 1 MiB: too little for a copy, enough for a link.
  parts::tool(home, {"qemu-io", "-f", "qcow2", "-c", "write -P 1 0 2M", data_disk(home, "web")});
  const auto free = fs::space(data).available;
  parts::tool(home, {"dd", "if=/dev/zero", "of=" + data + "/filler", "bs=65536",
                     "count=" + std::to_string(free / 65536 - 20), "status=none"});
  const auto refused = home.run({"clone", "web", "test", "--copy"});
  CHECK(refused.code == 1);
  CHECK_MESSAGE(contains(refused.err, "free"), refused.err);
  CHECK_FALSE(known(home, "test"));
  parts::ok(home, {"clone", "web", "test"});
  parts::ok(home, {"remove", "test", "--yes"});
  // Not even for a link.
  const auto left = fs::space(data).available;
  parts::tool(home, {"dd", "if=/dev/zero", "of=" + data + "/more", "bs=4096",
                     "count=" + std::to_string(left / 4096 - 8), "status=none"});
  CHECK(home.run({"clone", "web", "test"}).code == 1);
  CHECK_FALSE(known(home, "test"));
  CHECK(parts::has(home, data_disk(home, "web"), 1, 0));
  fs::remove(data + "/more");
  fs::remove(data + "/filler");
  expect_sound(home, false);
}
