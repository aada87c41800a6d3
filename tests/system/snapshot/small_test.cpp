// SPDX-License-Identifier: MIT
// Snapshots of a VM that is small enough to be started often: live, stopped, of both kinds.
#include "core/text.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"
#include "snapshot/vm.hpp"

#include <filesystem>

#include <doctest/doctest.h>

using snap::Vm;
using test::contains;
using test::eventually;
using test::Home;

namespace {

std::string tool(const std::vector<std::string>& argv) {
  const auto done = qlaunch::run_and_capture(argv);
  REQUIRE_MESSAGE(done.ok(), done.err);
  return done.out;
}

std::string error_of(const Vm& vm, const std::vector<std::string>& words, int code) {
  const auto done = vm.attempt(words);
  CHECK_MESSAGE(done.code == code, done.out << done.err);
  return done.err;
}

}  // namespace

TEST_CASE("a live snapshot holds memory and disks of one moment, and all of it comes back") {
  Home home;
  const Vm vm(home);
  vm.up();
  vm.write("data", 0, 'a');
  vm.write("more", 3, 'b');
  // It stands still, so that its memory is known.
  vm.run({"pause", "vm"});
  const auto then = vm.ticks();
  CHECK(contains(vm.create("one", {"-m", "the first"}), "one is saved: memory ("));
  const auto note = vm.find("one");
  CHECK(note["text"] == "the first");
  CHECK(note["kind"] == "live");
  CHECK(note["guest"] == "paused");
  CHECK(note["disks"] == std::vector<std::string>{"root", "data", "more"});
  CHECK(note["vm_state_size"] > 100'000);
  CHECK(note["machine"].get<std::string>().starts_with("pc-q35-"));
  vm.run({"resume", "vm"});
  vm.write("data", 0, 'c');
  vm.write("data", 1, 'd');
  vm.write("more", 3, 'e');
  REQUIRE(eventually([&] { return vm.ticks() > then + 2; }));
  const int pid = vm.pid();

  const auto said = vm.revert("one");
  CHECK(contains(said, "vm: back at one; what it was is kept as before-revert-"));
  CHECK(vm.pid() == pid);
  CHECK(vm.state() == "paused");
  CHECK(vm.ticks() == then);
  CHECK(vm.content("data") == "a...............");
  CHECK(vm.content("more") == "...b............");

  // And what was lost is not.
  const auto kept = std::string(qlaunch::trim(said.substr(said.rfind(' ') + 1)));
  vm.revert(kept, {"--discard"});
  CHECK(vm.state() == "running");
  CHECK(vm.ticks() > then + 2);
  CHECK(vm.content("data") == "cd..............");
  CHECK(vm.content("more") == "...e............");
  CHECK(vm.tags() == "one " + kept + '*');

  // Another start goes on from there, too.
  vm.run({"shutdown", "vm"});
  vm.expect_whole_disks();
  vm.run({"up", "--from", "one", "vm"});
  CHECK(vm.state() == "paused");
  CHECK(vm.ticks() == then);
  CHECK(vm.content("data") == "a...............");
  // Nothing was written since the last snapshot but by the guest that powered off.
  CHECK(vm.list().size() == 2);
  vm.run({"resume", "vm"});
  CHECK(eventually([&] { return vm.ticks() > then; }));
  vm.run({"shutdown", "vm"});
}

TEST_CASE("a VM that does not run keeps its disks, all of them, and takes them up again") {
  Home home;
  const Vm vm(home);
  vm.up();
  vm.kill();
  vm.write("data", 0, 'a');
  CHECK(contains(vm.create("one"), "one is saved: 3 disks"));
  for (const auto* disk : {"root", "data", "more"})
    CHECK(snap::tags_in(vm.disk(disk)) == std::vector<std::string>{"one"});
  CHECK(vm.find("one")["guest"] == "off");
  // Nothing is lost by this, so nothing is kept.
  CHECK(vm.revert("one") == "vm: back at one; it does not run\n");
  vm.write("data", 0, 'b');
  vm.write("more", 9, 'c');
  const auto said = vm.revert("one");
  CHECK(contains(said, "vm: back at one; it does not run; what it was is kept as before-revert-"));
  CHECK(vm.content("data") == "a...............");
  CHECK(vm.content("more") == "................");
  const auto kept = std::string(qlaunch::trim(said.substr(said.rfind(' ') + 1)));
  vm.revert(kept, {"--discard"});
  CHECK(vm.content("data") == "b...............");
  CHECK(vm.content("more") == ".........c......");
  CHECK(vm.run({"snapshot", "delete", "vm", "one"}) == "vm: one is deleted\n");
  CHECK(vm.tags() == kept + '*');
  for (const auto* disk : {"root", "data", "more"})
    CHECK(snap::tags_in(vm.disk(disk)) == std::vector<std::string>{kept});
  vm.expect_whole_disks();
}

TEST_CASE("one kind is reverted to from the other, and a restart is announced") {
  Home home;
  const Vm vm(home);
  vm.up();
  vm.write("data", 0, 'l');
  vm.create("live");
  vm.write("data", 0, 'p');
  CHECK(contains(vm.create("power", {"--disk-only"}), "as a power cut would leave them"));
  CHECK(vm.find("power")["kind"] == "disks");
  CHECK(vm.find("power")["parent"] == "live");
  vm.write("data", 0, 'x');
  int pid = vm.pid();
  auto done = home.run({"snapshot", "revert", "vm", "power", "--discard"});
  CHECK_MESSAGE(done.code == 0, done.err);
  CHECK(contains(done.err, "vm is started anew: it holds the disks alone\n"));
  CHECK(done.out == "vm: back at power, and boots\n");
  CHECK(vm.pid() != pid);
  CHECK(vm.content("data") == "p...............");
  CHECK(vm.tags() == "live power*");
  vm.kill();
  vm.write("data", 0, 'y');
  CHECK(contains(vm.revert("live"), "back at live, in a new QEMU; what it was is kept as before-"));
  CHECK(vm.state() == "running");
  CHECK(vm.content("data") == "l...............");

  // A machine of another kind than the profile makes now.
  vm.kill();
  vm.run({"up", "vm.toml", "--set", "machine.memory=24MiB"});
  pid = vm.pid();
  done = home.run({"snapshot", "revert", "vm", "live"});
  CHECK_MESSAGE(done.code == 0, done.err);
  CHECK(contains(done.err, "vm is started anew: it was made on another machine than runs now"));
  CHECK(vm.pid() != pid);
  CHECK(vm.run({"status", "vm", "--get", "memory"}) == "16777216\n");
  CHECK(vm.content("data") == "l...............");
  vm.run({"shutdown", "vm"});
  vm.expect_whole_disks();
}

TEST_CASE("what is kept twice within a second is kept twice") {
  test::Home home;
  const snap::Vm vm(home);
  vm.up();
  vm.kill();
  vm.write("data", 0, 'a', false);
  vm.create("one");
  // Three reverts take less than the two seconds that their tags would tell apart.
  for (const char letter : {'b', 'c', 'd'}) {
    vm.write("data", 0, letter, false);
    vm.revert("one");
  }
  std::string seen;
  for (const auto& entry : vm.list()) {
    if (entry.at("tag") == "one") continue;
    vm.revert(entry.at("tag"), {"--discard"});
    seen += vm.content("data").front();
  }
  CHECK(seen.size() == 3);
  for (const char letter : {'b', 'c', 'd'}) CHECK(contains(seen, std::string(1, letter)));
}

TEST_CASE("a snapshot without its TPM's state is no snapshot") {
  test::Home home;
  const snap::Vm vm(home, snap::profile("tpm = true\n"));
  vm.up();
  vm.kill();
  vm.create("one");
  vm.write("data", 0, 'x', false);
  std::filesystem::remove_all(vm.file("snapshots/one.tpm"));
  const auto refused = vm.attempt({"snapshot", "revert", "vm", "one", "--discard"});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "the TPM's state of snapshot `one` is gone"));
  CHECK(vm.content("data").front() == 'x');
  // Nothing is left that would stand in the way of the next command.
  vm.up();
  vm.kill();
}

TEST_CASE("what other programs do to the disks is seen, and can be taken up or deleted") {
  Home home;
  const Vm vm(home);
  vm.up();
  vm.create("live");
  vm.kill();
  vm.create("off");
  tool({"qemu-img", "snapshot", "-d", "off", vm.disk("more")});
  tool({"qemu-img", "snapshot", "-d", "live", vm.disk("data")});
  for (const auto* disk : {"root", "data", "more"})
    tool({"qemu-img", "snapshot", "-c", "foreign", vm.disk(disk)});
  tool({"qemu-img", "snapshot", "-c", "part", vm.disk("data")});
  CHECK(vm.find("off")["problem"] == "not on `more`");
  CHECK(vm.find("live")["problem"] == "not on `data`");
  CHECK(vm.find("foreign")["problem"] == "made by another program");
  CHECK(vm.find("part")["problem"] == "not on `root` and `more`");
  CHECK(contains(error_of(vm, {"snapshot", "revert", "vm", "off"}, 3),
                 "snapshot `off` of VM `vm` is broken: not on `more`"));
  CHECK(contains(error_of(vm, {"up", "--from", "live", "vm"}, 3), "is broken: not on `data`"));
  CHECK(contains(error_of(vm, {"snapshot", "create", "vm", "part"}, 3), "already"));
  vm.write("data", 2, 'f');
  vm.revert("foreign", {"--discard"});
  CHECK(vm.content("data") == "................");
  tool({"qemu-img", "snapshot", "-d", "off", vm.disk("root")});
  tool({"qemu-img", "snapshot", "-d", "off", vm.disk("data")});
  CHECK(vm.find("off")["health"] == "lost");
  // Also while it runs.
  vm.up();
  for (const auto* tag : {"off", "part", "live", "foreign"})
    CHECK(vm.run({"snapshot", "delete", "vm", tag}) == std::string("vm: ") + tag + " is deleted\n");
  CHECK(vm.tags().empty());
  for (const auto* disk : {"root", "data", "more", "state"})
    CHECK(snap::tags_in(vm.disk(disk)).empty());
  vm.kill();
  vm.expect_whole_disks();
}

TEST_CASE("generations and a branch: children move up, and the current one is known") {
  Home home;
  const Vm vm(home);
  vm.up();
  for (const char letter : {'a', 'b', 'c'}) {
    vm.write("data", 0, letter);
    vm.create(std::string(1, letter));
  }
  vm.revert("a", {"--discard"});
  vm.write("data", 0, 'd');
  vm.create("d");
  CHECK(vm.tags() == "a b c d*");
  CHECK(vm.find("d")["parent"] == "a");
  vm.run({"snapshot", "delete", "vm", "b"});
  CHECK(vm.find("c")["parent"] == "a");
  vm.run({"snapshot", "delete", "vm", "d"});
  CHECK(vm.tags() == "a* c");
  CHECK(vm.content("data") == "d...............");
  vm.revert("c", {"--discard"});
  CHECK(vm.content("data") == "c...............");
  vm.run({"snapshot", "delete", "vm", "a"});
  CHECK(vm.find("c")["parent"].is_null());
  const auto text = vm.run({"snapshot", "list", "vm"});
  CHECK(contains(text, "* c "));
  // The notes outlive another name of the VM.
  vm.kill();
  vm.run({"rename", "vm", "new"});
  vm.run({"up", "--from", "c", "new"});
  CHECK(vm.run({"status", "new", "--get", "state"}) == "running\n");
  CHECK(contains(vm.run({"status", "new", "--get", "disks.data.path"}), "/data/new/data.qcow2"));
}

TEST_CASE("fifty snapshots, any of which comes back") {
  Home home;
  const Vm vm(home);
  vm.up();
  for (int number = 0; number < 50; ++number) {
    if (number % 10 == 0) vm.write("data", number / 10, 'x');
    vm.create("t" + std::to_string(number));
  }
  CHECK(vm.list().size() == 50);
  vm.revert("t7", {"--discard"});
  CHECK(vm.content("data") == "x...............");
  vm.revert("t33", {"--discard"});
  CHECK(vm.content("data") == "xxxx............");
  vm.kill();
  vm.expect_whole_disks();
}

TEST_CASE("UEFI's variables and the TPM's state are part of it") {
  Home home;
  const Vm vm(home, snap::profile("firmware = \"uefi\"\ntpm = true\n", "") +
                        "[shutdown]\ntimeout = \"1s\"\n");
  // Nothing in it says that it is ready: the boot sector is not for UEFI.
  vm.run({"up", "vm.toml", "--no-wait"});
  vm.create("live");
  CHECK(vm.find("live")["disks"] == std::vector<std::string>{"root", "data", "more", "nvram"});
  CHECK(snap::tags_in(vm.file("nvram.qcow2")) == std::vector<std::string>{"live"});
  vm.revert("live", {"--discard"});
  CHECK(vm.state() == "running");
  vm.kill();
  const auto tpm = vm.file("tpm/tpm2-00.permall");
  const auto before = qlaunch::read_file(tpm);
  vm.create("off");
  std::filesystem::resize_file(tpm, 10);
  vm.revert("off", {"--discard"});
  CHECK(qlaunch::read_file(tpm) == before);
  vm.revert("live", {"--discard"});
  CHECK(vm.state() == "running");
}

TEST_CASE("what stands in the way is told before the guest is held up") {
  Home home;
  SUBCASE("a raw disk") {
    const Vm vm(home, snap::profile("",
                                    "[[disk]]\nname = \"plain\"\nformat = \"raw\"\n"
                                    "size = \"1 MiB\"\n"));
    vm.up();
    const auto said = error_of(vm, {"snapshot", "create", "vm", "x"}, 3);
    CHECK(contains(said, "disk `plain` is raw, which holds no snapshots"));
    CHECK(contains(said, "qemu-img convert"));
    CHECK(contains(error_of(vm, {"snapshot", "create", "vm", "x", "--disk-only"}, 3), "`plain`"));
    CHECK_FALSE(contains(vm.run({"events", "vm"}), "STOP"));
    vm.kill();
    CHECK(contains(error_of(vm, {"snapshot", "create", "vm", "x"}, 3), "`plain`"));
    CHECK(vm.tags().empty());
  }
  SUBCASE("an NVMe disk, and the disks alone go") {
    const Vm vm(home, snap::profile("",
                                    "[[disk]]\nname = \"fast\"\nbus = \"nvme\"\n"
                                    "size = \"1 MiB\"\n"));
    vm.up();
    const auto said = error_of(vm, {"snapshot", "create", "vm", "x"}, 3);
    CHECK(contains(said, "an NVMe disk keeps state that QEMU cannot save"));
    CHECK(contains(said, "--disk-only"));
    CHECK(vm.tags().empty());
    vm.create("x", {"--disk-only"});
    CHECK(vm.find("x")["disks"].size() == 4);
    vm.write("data", 0, 'n');
    const auto reverted = home.run({"snapshot", "revert", "vm", "x"});
    CHECK_MESSAGE(reverted.code == 0, reverted.err);
    CHECK(contains(reverted.err, "the disks alone are kept as before-revert-"));
    CHECK(vm.content("data") == "................");
    CHECK(vm.list().size() == 2);
  }
  SUBCASE("a disk that ends with the run") {
    const Vm vm(home, snap::profile("",
                                    "[[disk]]\nname = \"brief\"\nsize = \"1 MiB\"\n"
                                    "ephemeral = true\n"));
    vm.up();
    CHECK(
        contains(error_of(vm, {"snapshot", "create", "vm", "x"}, 3), "disk `brief` is ephemeral"));
  }
}

TEST_CASE("with a newer QEMU it is the same") {
  const char* scripts = std::getenv("QLAUNCH_MICRO_GUEST");
  REQUIRE(scripts != nullptr);
  const auto script = std::filesystem::path(scripts).replace_filename("fetch_qemu10.sh").string();
  qlaunch::SpawnOptions options;
  options.argv = {"/bin/sh", script};
  const auto fetched =
      qlaunch::run_and_capture(options, std::chrono::minutes(10), std::size_t{1} << 20);
  if (!fetched.ok()) return micro::skip("QEMU 10.0 cannot be had here: " + fetched.err);
  Home home;
  const Vm vm(home, snap::profile("", "[qemu]\nbinary = \"" +
                                          std::string(qlaunch::trim(fetched.out)) + "\"\n"));
  vm.up();
  vm.write("data", 0, 'a');
  vm.run({"pause", "vm"});
  const auto then = vm.ticks();
  vm.create("one");
  CHECK_FALSE(contains(vm.find("one")["machine"].get<std::string>(), "7.2"));
  vm.run({"resume", "vm"});
  vm.write("data", 0, 'b');
  CHECK(contains(vm.revert("one"), "back at one; what it was is kept as before-revert-"));
  CHECK(vm.ticks() == then);
  CHECK(vm.content("data") == "a...............");
  vm.create("power", {"--disk-only"});
  vm.kill();
  vm.create("off");
  vm.run({"up", "--from", "one", "vm"});
  CHECK(vm.ticks() == then);
  CHECK(contains(error_of(vm, {"snapshot", "revert", "vm", "power", "--discard"}, 0),
                 "started anew"));
  for (const auto* tag : {"one", "off", "power"}) vm.run({"snapshot", "delete", "vm", tag});
  vm.kill();
  vm.expect_whole_disks();
}

TEST_CASE("a VM without a disk of its own has live snapshots, too") {
  Home home;
  const Vm vm(home,
              "name = \"vm\"\n[machine]\nmemory = \"16 MiB\"\naccel = \"tcg\"\n"
              "[[network]]\nmode = \"none\"\n");
  vm.up();
  vm.run({"pause", "vm"});
  const auto then = vm.ticks();
  vm.create("one");
  CHECK(vm.find("one")["disks"].empty());
  vm.revert("one", {"--discard"});
  CHECK(vm.ticks() == then);
  vm.kill();
  CHECK(contains(error_of(vm, {"snapshot", "create", "vm", "two"}, 3),
                 "has no disk that is written to"));
  vm.run({"up", "--from", "one", "vm"});
  CHECK(vm.ticks() == then);
}
