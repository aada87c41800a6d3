// SPDX-License-Identifier: MIT
#include "vm/disk/bases.hpp"

#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/qemu_img.hpp"
#include "plan/plan_json.hpp"
#include "vm/record.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include <stdlib.h>

using namespace qlaunch;
namespace fs = std::filesystem;

namespace {

struct Home {
  Home() {
    char name[] = "/tmp/qlaunch-unit.XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
    setenv("QLAUNCH_HOME", name, 1);
  }
  ~Home() {
    unsetenv("QLAUNCH_HOME");
    fs::remove_all(path);
  }

  std::string disk(const std::string& file, const std::string& base = {}) const {
    const auto full = path + '/' + file;
    make_folders(fs::path(full).parent_path().string());
    std::vector<std::string> words{"create", "-q", "-f", "qcow2"};
    if (!base.empty()) words.insert(words.end(), {"-u", "-b", base, "-F", "qcow2"});
    words.insert(words.end(), {full, "1M"});
    QemuImg().run(words, "cannot", full);
    return full;
  }

  static void vm(const std::string& name, const std::vector<PlannedDisk>& disks,
                 const std::vector<Preparation>& preparations = {}) {
    Plan plan;
    plan.name = name;
    plan.disks = disks;
    plan.preparations = preparations;
    Record record;
    record.name = name;
    record.plan = plan_to_json(plan);
    make_folders(vm_paths(state_roots(), name).data);
    write_record(record);
  }

  std::string path;
};

PlannedDisk planned(const std::string& name, const std::string& path,
                    DiskFormat format = DiskFormat::qcow2) {
  return {name, "disk-" + name, path, format, false};
}

}  // namespace

TEST_CASE("a base is needed by whatever lies on it, however deep and by whatever path") {
  const Home home;
  const auto base = home.disk("base.qcow2");
  const auto middle = home.disk("middle.qcow2", "base.qcow2");  // relative to its own folder
  const auto top = home.disk("elsewhere/top.qcow2", middle);
  Home::vm("web", {planned("root", top)});
  fs::create_symlink(base, home.path + "/link.qcow2");
  fs::create_hard_link(base, home.path + "/hard.qcow2");

  const ImageNeeds needs;
  const std::vector<ImageNeed> deep{{"web", "root", top, false}};
  CHECK(needs.of(base) == deep);
  CHECK(needs.of(home.path + "/elsewhere/../link.qcow2") == deep);
  CHECK(needs.of(home.path + "/hard.qcow2") == deep);
  CHECK(needs.of(middle) == std::vector<ImageNeed>{{"web", "root", top, true}});
  CHECK(needs.of(top) == std::vector<ImageNeed>{{"web", "root", "", true}});
  CHECK(needs.of(home.disk("other.qcow2")).empty());
  CHECK(describe_needs(needs.of(base)) == "VM `web` (disk `root`)");
}

TEST_CASE("what no plan names still counts, and what a guest wrote does not") {
  const Home home;
  const auto base = home.disk("base.qcow2");
  // An overlay in the VM's folder that its profile no longer speaks of.
  Home::vm("old", {});
  const auto left = home.disk("data/old/left.qcow2", base);
  // A raw disk whose guest has written the header of an overlay into it.
  const auto raw = home.disk("disk.img", base);
  Home::vm("sly", {planned("root", raw, DiskFormat::raw)});
  CHECK(ImageNeeds().of(base) == std::vector<ImageNeed>{{"old", "", left, true}});
  CHECK(describe_needs(ImageNeeds().of(base)) == "VM `old`");
}

TEST_CASE("a disk that is yet to be made needs its base") {
  const Home home;
  const auto image = home.path + "/not-there.qcow2";
  Preparation make;
  make.what = MakeDisk{home.path + "/root.qcow2", DiskFormat::qcow2, {}, image, "qcow2", false};
  Home::vm("new", {planned("root", home.path + "/root.qcow2")}, {make});
  CHECK(ImageNeeds().of(image) ==
        std::vector<ImageNeed>{{"new", "root", home.path + "/root.qcow2", true}});
}

TEST_CASE("a chain that bites its tail and a damaged record are lived with") {
  const Home home;
  const auto one = home.disk("data/web/one.qcow2", "two.qcow2");
  const auto two = home.disk("data/web/two.qcow2", "one.qcow2");
  Home::vm("web", {planned("root", one)});
  make_folders(home.path + "/data/bad");
  write_file_atomic(home.path + "/data/bad/vm.json", "{");
  CHECK_FALSE(ImageNeeds().of(two).empty());
  // The record of a run says nothing any more; that of the VM still does.
  const auto disk = home.disk("disk.qcow2");
  Home::vm("half", {planned("root", disk)});
  make_folders(home.path + "/run/half");
  write_file_atomic(home.path + "/run/half/live.json", "{");
  CHECK(ImageNeeds().of(disk).size() == 1);
}

TEST_CASE("what an overlay lies on, as a path") {
  const Home home;
  CHECK(base_of(home.disk("a/b.qcow2", "../c.qcow2")) == home.path + "/c.qcow2");
  CHECK(base_of(home.disk("plain.qcow2")).empty());
  CHECK(base_of(home.path + "/none").empty());
  CHECK(base_of(home.disk("net.qcow2", "nbd://host/x")).empty());
  CHECK(base_of(home.disk("json.qcow2", "json:{\"driver\":\"null-co\"}")).empty());
}
