// SPDX-License-Identifier: MIT
// Snapshots as values: tags, notes, the tree against what the disks hold, and what blocks one.
#include "core/error.hpp"
#include "plan/plan_json.hpp"
#include "vm/move_paths.hpp"
#include "vm/operation.hpp"
#include "vm/snapshot/blockers.hpp"
#include "vm/snapshot/note.hpp"
#include "vm/snapshot/plan.hpp"
#include "vm/snapshot/tag.hpp"
#include "vm/snapshot/tree.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;

namespace {

VmPaths paths_of(const std::string& name) {
  return {"/run/" + name, "/data/" + name, "/state/" + name, "/cache"};
}

SnapshotNote note_of(const std::string& tag, const std::string& parent, int second,
                     const std::vector<std::string>& disks = {"root", "home"}) {
  SnapshotNote note;
  note.tag = tag;
  note.parent = parent;
  note.created = "2026-01-31T12:00:0" + std::to_string(second) + ".000Z";
  for (const auto& disk : disks)
    note.members.push_back({disk, "disk-" + disk, "/data/vm/" + disk + ".qcow2", 100, 7});
  return note;
}

SnapshotFile file_of(const std::string& disk, const std::vector<std::string>& tags) {
  SnapshotFile file{disk, "disk-" + disk, "/data/vm/" + disk + ".qcow2"};
  int id = 0;
  for (const auto& tag : tags) file.snapshots.push_back({std::to_string(++id), tag, 0, 100, 7});
  return file;
}

std::string drawn(const std::vector<SnapshotEntry>& entries) {
  std::string out;
  for (const auto& entry : entries) {
    out += std::string(static_cast<std::size_t>(entry.depth), ' ') + entry.note.tag;
    if (entry.current) out += '*';
    if (entry.last) out += '$';
    if (entry.health != SnapshotHealth::whole) out += " (" + entry.problem + ")";
    out += '\n';
  }
  return out;
}

PlannedDisk disk_of(const std::string& name, DiskFormat format = DiskFormat::qcow2,
                    bool readonly = false) {
  return {name, "disk-" + name, "/data/vm/" + name, format, readonly};
}

Argument option(const std::string& word, const std::string& value) {
  return {{word, value}, {}};
}

std::string all_help(const Error& error) {
  std::string out;
  for (const auto& help : error.diagnostics().front().help) out += help + '\n';
  return out;
}

}  // namespace

TEST_CASE("what a snapshot may be called") {
  for (const auto* good : {"clean", "a", "2026-01-31", "v1.0", "über", "1a", "a:b", "..", "'"})
    CHECK_NOTHROW_MESSAGE(check_tag(good), good);
  CHECK_NOTHROW(check_tag(std::string(128, 'x')));
  struct Row {
    std::string tag, problem;
  };
  for (const auto& [tag, problem] :
       std::vector<Row>{{"", "it is empty"},
                        {std::string(129, 'x'), "it has 129 bytes, and 128 is the most"},
                        {"a b", "it has a space in it"},
                        {"-a", "it begins with a dash"},
                        {"a/b", "it has a slash in it"},
                        {"12", "it is a number, which qemu-img takes for an id"},
                        {"a\nb", "it has a control character in it"},
                        {"a\x7f", "it has a control character in it"},
                        {"a\xff", "it is not UTF-8"}}) {
    CAPTURE(tag);
    try {
      check_tag(tag);
      FAIL("it was taken");
    } catch (const Error& error) {
      CHECK(error.code() == ExitCode::usage);
      CHECK(std::string(error.what()).ends_with("cannot be the tag of a snapshot: " + problem));
    }
  }
}

TEST_CASE("the time makes tags that may be tags") {
  const auto time = std::chrono::system_clock::time_point(std::chrono::seconds(1'769'860'800));
  CHECK_NOTHROW(check_tag(tag_for(time)));
  CHECK_NOTHROW(check_tag(before_revert_tag(time)));
  CHECK(tag_for(time).size() == std::string("2026-01-31_12-00-00").size());
  CHECK(tag_for(time + std::chrono::seconds(1)) > tag_for(time));
}

TEST_CASE("a note comes back as it was written") {
  auto note = note_of("tag", "parent", 1);
  note.text = "with \"quotes\", umlauts äöü and\nlines";
  note.kind = SnapshotKind::live;
  note.guest = GuestThen::paused;
  note.agent = note.frozen = note.tpm = true;
  note.vm_state_size = std::uint64_t{5} << 32U;
  note.disk_size = 42;
  note.machine_type = "pc-q35-7.2";
  note.cpus = 4;
  note.memory = std::uint64_t{8} << 30U;
  note.plan = R"({"name":"vm"})";
  const auto paths = paths_of("vm");
  const auto back = note_from_json(note_to_json(note, paths), "vm", paths);
  CHECK(note_to_json(back, paths) == note_to_json(note, paths));
  CHECK(back.members == note.members);
  CHECK(back.plan == note.plan);
  CHECK(back.member("home") != nullptr);
  CHECK(back.member("none") == nullptr);
  for (const auto* damaged : {"", "{", "[]", "{}", "{\"tag\": 3}"})
    CHECK_THROWS_AS(note_from_json(damaged, "vm", paths), Error);
}

TEST_CASE("after a rename the paths of a note are those of the new name, also within words") {
  auto note = note_of("tag", "", 1);
  note.members.push_back({"elsewhere", "disk-elsewhere", "/disks/data/vm/x.qcow2"});
  Plan plan;
  plan.name = "vm";
  plan.paths = paths_of("vm");
  plan.qemu.program = "/usr/bin/qemu";
  plan.qemu.arguments = {
      option("-blockdev", R"({"driver":"file","filename":"/data/vm/root.qcow2"})"),
      option("-chardev", "socket,path=/run/vm/x.sock,server=on"),
      option("-drive", "file=/data/vm2/y"), option("-kernel", "/boot/data/vm/bzImage")};
  note.plan = plan_to_json(plan);
  const auto moved = note_from_json(note_to_json(note, paths_of("vm")), "new", paths_of("new"));
  CHECK(moved.members[0].path == "/data/new/root.qcow2");
  CHECK(moved.members[2].path == "/disks/data/vm/x.qcow2");
  const auto there = plan_from_json(moved.plan);
  CHECK(there.name == "new");
  CHECK(there.paths.data == "/data/new");
  CHECK(there.qemu.argv() ==
        std::vector<std::string>{"/usr/bin/qemu", "-blockdev",
                                 R"({"driver":"file","filename":"/data/new/root.qcow2"})",
                                 "-chardev", "socket,path=/run/new/x.sock,server=on", "-drive",
                                 "file=/data/vm2/y", "-kernel", "/boot/data/vm/bzImage"});
}

TEST_CASE("a folder with a comma or a quote in it is found in every way it is written") {
  auto from = paths_of("vm");
  from.data = "/my \"data\", all/vm";
  const auto to = paths_of("new");
  CHECK(moved_text("/my \"data\", all/vm/x", from, to) == "/data/new/x");
  CHECK(moved_text("id=a,path=/my \"data\",, all/vm/x", from, to) == "id=a,path=/data/new/x");
  CHECK(moved_text(R"({"f":"/my \"data\", all/vm/x"})", from, to) == R"({"f":"/data/new/x"})");
}

TEST_CASE("snapshots are a tree, the older before the younger") {
  const std::vector<SnapshotFile> files{file_of("root", {"a", "b", "c", "d"}),
                                        file_of("home", {"a", "b", "c", "d"})};
  const auto entries = reconcile(
      {note_of("d", "a", 4), note_of("b", "a", 2), note_of("c", "b", 3), note_of("a", "", 1)},
      files, "c");
  CHECK(drawn(entries) == "a$\n b\n  c*$\n d$\n");
}

TEST_CASE("parents that are gone, or each other's children, hide no snapshot") {
  const std::vector<SnapshotFile> files{file_of("root", {"a", "b", "c", "s"}),
                                        file_of("home", {"a", "b", "c", "s"})};
  const auto entries = reconcile(
      {note_of("a", "b", 1), note_of("b", "a", 2), note_of("c", "gone", 3), note_of("s", "s", 4)},
      files, "");
  CHECK(entries.size() == 4);
  CHECK(drawn(entries) == "c\ns$\na$\n b$\n");
}

TEST_CASE("what other programs have done to the disks is seen") {
  SUBCASE("a tag on one of two disks") {
    CHECK(drawn(reconcile({note_of("a", "", 1)}, {file_of("root", {"a"}), file_of("home", {})},
                          "")) == "a$ (not on `home`)\n");
  }
  SUBCASE("a tag on none") {
    const auto entries =
        reconcile({note_of("a", "", 1)}, {file_of("root", {}), file_of("home", {})}, "");
    CHECK(drawn(entries) == "a$ (no disk has it any more)\n");
    CHECK(entries[0].health == SnapshotHealth::lost);
  }
  SUBCASE("a disk that is gone") {
    CHECK(drawn(reconcile({note_of("a", "", 1)}, {file_of("root", {"a"})}, "")) ==
          "a$ (not on `home`)\n");
  }
  SUBCASE("made anew under the same tag") {
    auto other = file_of("home", {"a"});
    other.snapshots[0].date = 101;
    const auto entries = reconcile({note_of("a", "", 1)}, {file_of("root", {"a"}), other}, "");
    CHECK(entries[0].health == SnapshotHealth::broken);
    CHECK(drawn(entries) == "a$ (another program has made it anew on `home`)\n");
  }
  SUBCASE("made by qemu-img on all disks") {
    const auto entries = reconcile({}, {file_of("root", {"q"}), file_of("home", {"q"})}, "");
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].health == SnapshotHealth::foreign);
    CHECK_FALSE(entries[0].noted);
    CHECK(entries[0].note.created == "1970-01-01T00:01:40.000Z");
    CHECK(entries[0].note.members.size() == 2);
  }
  SUBCASE("made by qemu-img on one of them") {
    const auto entries = reconcile({}, {file_of("root", {"q"}), file_of("home", {})}, "");
    CHECK(entries[0].health == SnapshotHealth::broken);
    CHECK(drawn(entries) == "q$ (not on `home`)\n");
  }
  SUBCASE("a disk of before, which no snapshot of now needs") {
    auto old = file_of("old", {"a"});
    old.in_plan = false;
    const auto entries =
        reconcile({note_of("a", "", 1, {"root", "old"})}, {file_of("root", {"a", "q"}), old}, "");
    CHECK(drawn(entries) == "q (made by another program)\na$\n");
  }
  SUBCASE("the memory of a live one has no say in whether a disk's tag is whole") {
    SnapshotFile state{"state", "state", "/data/vm/state.qcow2", true, true};
    CHECK(drawn(reconcile({}, {file_of("root", {"q"}), state}, "")) ==
          "q$ (made by another program)\n");
  }
}

TEST_CASE("the machine is what the guest sees of a plan") {
  Plan one;
  one.qemu.program = "/usr/bin/qemu";
  one.qemu.arguments = {option("-m", "16"), option("-netdev", "user,id=net0"), {{"-S"}, {}}};
  auto other = one;
  other.qemu.arguments[1] = option("-netdev", "user,id=net0,hostfwd=tcp::1-:1");
  other.qemu.arguments.pop_back();
  CHECK(same_machine(one, other));
  CHECK(plan_to_keep(one).qemu.arguments.size() == 2);
  CHECK(plan_to_load_into(one).qemu.argv().back() == "-S");
  CHECK(plan_to_load_into(one).qemu.arguments.size() == 3);
  other.qemu.arguments[0] = option("-m", "32");
  CHECK_FALSE(same_machine(one, other));
  other = one;
  other.qemu.arguments.push_back(option("-device", "{}"));
  CHECK_FALSE(same_machine(one, other));
}

TEST_CASE("a forward gets another port in the plan and in what QEMU is told") {
  Plan plan;
  plan.qemu.arguments = {
      option(
          "-netdev",
          R"({"id":"net0","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"},{"str":"udp:127.0.0.1:70-:22"}]})"),
      option("-netdev", R"({"id":"net1","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]})")};
  plan.forwards = {{"net0", {Protocol::tcp, "127.0.0.1", 2222, 22}, {}},
                   {"net0", {Protocol::udp, "127.0.0.1", 70, 22}, {}}};
  set_host_port(plan, 0, 5);
  set_host_port(plan, 1, 0);
  CHECK(plan.forwards[0].forward.host_port == 5);
  CHECK(plan.qemu.arguments[0].words[1] ==
        R"({"id":"net0","hostfwd":[{"str":"tcp:127.0.0.1:5-:22"},{"str":"udp:127.0.0.1:0-:22"}]})");
  CHECK(plan.qemu.arguments[1].words[1] ==
        R"({"id":"net1","hostfwd":[{"str":"tcp:127.0.0.1:0-:22"}]})");
}

TEST_CASE("every node that is written to is accounted for") {
  Plan plan;
  plan.disks = {disk_of("root"), disk_of("cd", DiskFormat::raw, true)};
  plan.nvram = PlannedDisk{"nvram", "nvram", "/data/vm/nvram.qcow2", DiskFormat::qcow2, false};
  const auto blocks = nlohmann::json::parse(R"([
    {"qdev": "drive-root", "inserted": {"ro": false, "node-name": "disk-root", "drv": "qcow2", "file": "x"}},
    {"device": "pflash1", "inserted": {"ro": false, "node-name": "nvram", "drv": "qcow2", "file": "y"}},
    {"qdev": "drive-cd", "inserted": {"ro": true, "node-name": "disk-cd", "drv": "raw", "file": "z"}},
    {"qdev": "drive-empty", "removable": true},
    {"qdev": "extra", "inserted": {"ro": false, "node-name": "mine", "drv": "raw", "file": "/w"}}])");
  const auto nodes = written_nodes(blocks, plan);
  REQUIRE(nodes.size() == 3);
  CHECK(nodes[0].name == "root");
  CHECK(nodes[1].name == "nvram");
  CHECK(nodes[2].name == "extra");
  const auto blockers = find_blockers(nodes, {}, plan);
  REQUIRE(blockers.size() == 1);
  CHECK(blockers[0].what == "disk `extra` is raw, which holds no snapshots");
}

TEST_CASE("a disk of the plan that QEMU does not have is no small matter") {
  Plan plan;
  plan.disks = {disk_of("root")};
  const auto blockers = find_blockers({}, {}, plan);
  REQUIRE(blockers.size() == 1);
  CHECK(blockers[0].what == "disk `root` is not there any more");
}

TEST_CASE("what QEMU says blocks is told in words, with the way out") {
  struct Row {
    const char* reason;
    const char* what;
    const char* help;
  };
  // As QEMU 7.2 and 10.0 word them.
  for (const auto& row : std::vector<Row>{
           {"non-migratable device: 0000:00:03.0/vhost-user-fs", "a virtiofs share", "9p"},
           {"Migration is disabled when VirtFS export path '/srv' is mounted in the guest using "
            "mount_tag 'stuff'",
            "the guest has 9p share `stuff` mounted", "unmount it in the guest"},
           {"non-migratable device: 0000:00:04.0/nvme", "an NVMe disk", "bus = \"virtio\""},
           {"virgl is not yet migratable", "a GL display", "gpu = \"virtio\""},
           {"State blocked by non-migratable CPU device (invtsc flag)", "the CPU feature `invtsc`",
            "[cpu]"},
           {"something new", "QEMU says: something new", "--disk-only"}}) {
    CAPTURE(row.reason);
    const auto blockers = find_blockers({}, {row.reason, row.reason}, {});
    REQUIRE(blockers.size() == 1);
    CHECK(blockers[0].what.starts_with(row.what));
    const auto error = blocked("vm", blockers, false);
    CHECK(error.code() == ExitCode::state);
    CHECK(all_help(error).find(row.help) != std::string::npos);
    CHECK(all_help(error).find("--disk-only") != std::string::npos);
  }
}

TEST_CASE("a raw disk blocks the disks alone, too, and no way round it is offered") {
  Plan plan;
  plan.disks = {disk_of("root", DiskFormat::raw), disk_of("fixed", DiskFormat::raw, true)};
  const auto blockers = find_blockers(plan);
  REQUIRE(blockers.size() == 1);
  const auto error = blocked("vm", blockers, true);
  CHECK(std::string(error.what()) ==
        "no snapshot of VM `vm` can be made: disk `root` is raw, which holds no snapshots");
  CHECK(all_help(error).find("--disk-only") == std::string::npos);
  CHECK(all_help(error).find("qemu-img convert -O qcow2 /data/vm/root") != std::string::npos);
}

TEST_CASE("an operation in a few words") {
  CHECK(operation_text({"saving snapshot `x`", "", 40, {}}) == "saving snapshot x, 40%");
  CHECK(operation_text({"saving snapshot `x`", "", {}, {}}) == "saving snapshot x");
}
