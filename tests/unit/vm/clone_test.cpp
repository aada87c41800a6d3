// SPDX-License-Identifier: MIT
#include "image/qemu_img.hpp"
#include "profile/load.hpp"
#include "vm/disk/clone_disks.hpp"
#include "vm/disk/clone_profile.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include <stdlib.h>

using namespace qlaunch;

namespace {

CloneDisk disk(const std::string& path, const std::string& format = "qcow2",
               const std::string& backing = {}) {
  CloneDisk disk;
  disk.path = path;
  disk.image.format = format;
  disk.image.backing = backing;
  disk.image.backing_format = backing.empty() ? "" : "qcow2";
  return disk;
}

CloneDisk decided(CloneDisk disk, const CloneRules& rules = {false, false, "/data/web"},
                  bool empty = false) {
  decide_way(disk, rules, empty);
  return disk;
}

/// A profile in a world of texts.
LoadedProfile load(const std::map<std::string, std::string>& files, const std::string& path) {
  ProfileWorld world;
  world.read = [&](const std::string& file) { return files.at(file); };
  world.find = [&](const std::string& name, const std::string& from) -> std::optional<std::string> {
    const auto whole = name.front() == '/' ? name : from + '/' + name;
    return files.contains(whole) ? std::optional(whole) : std::nullopt;
  };
  world.environment = [](const std::string&) { return std::nullopt; };
  return load_profile(path, path, {}, world);
}

}  // namespace

TEST_CASE("a disk of qlaunch's own without snapshots is linked, every other one copied") {
  CHECK(decided(disk("/data/web/root.qcow2")).way == CloneWay::linked);
  CHECK(decided(disk("/data/web/root.qcow2", "qcow2", "/images/debian.qcow2")).way ==
        CloneWay::linked);
  const auto outside = decided(disk("/home/u/root.qcow2"));
  CHECK(outside.way == CloneWay::copied);
  CHECK_FALSE(outside.why.empty());
  // The beginning of the name is not the folder.
  CHECK(decided(disk("/data/web2/root.qcow2")).way == CloneWay::copied);
  CHECK(decided(disk("/data/web/root.raw", "raw")).way == CloneWay::copied);
  auto with_snapshot = disk("/data/web/root.qcow2", "qcow2", "/images/debian.qcow2");
  with_snapshot.image.snapshots.emplace_back();
  with_snapshot = decided(with_snapshot);
  CHECK(with_snapshot.way == CloneWay::copied);
  CHECK(with_snapshot.base == "/images/debian.qcow2");
  CHECK(with_snapshot.base_format == "qcow2");
}

TEST_CASE("an overlay with nothing in it is made once more, unless somebody may write to it") {
  const auto overlay = disk("/data/web/root.qcow2", "qcow2", "/images/debian.qcow2");
  const auto shared = decided(overlay, {false, false, "/data/web"}, true);
  CHECK(shared.way == CloneWay::shared);
  CHECK(shared.base == "/images/debian.qcow2");
  CHECK(decided(overlay, {false, true, "/data/web"}, true).way == CloneWay::linked);
}

TEST_CASE("nothing of a clone lies on a file in its parent's folder") {
  for (const bool empty : {false, true}) {
    const auto inside = decided(disk("/data/web/root.qcow2", "qcow2", "/data/web/hello.img"),
                                {false, false, "/data/web"}, empty);
    CHECK(inside.way == CloneWay::copied);
    CHECK(inside.base.empty());
  }
}

TEST_CASE("a copy on request shares no file at all") {
  const auto whole = decided(disk("/data/web/root.qcow2", "qcow2", "/images/debian.qcow2"),
                             {true, false, "/data/web"}, true);
  CHECK(whole.way == CloneWay::copied);
  CHECK(whole.base.empty());
}

TEST_CASE("whether an overlay holds anything of its own") {
  char name[] = "/tmp/qlaunch-unit.XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  const std::string folder = name;
  const QemuImg qemu_img;
  const auto make = [&](const std::string& file, const std::string& base) {
    const auto path = folder + '/' + file;
    std::vector<std::string> words{"create", "-q", "-f", "qcow2"};
    if (!base.empty()) words.insert(words.end(), {"-b", base, "-F", "qcow2"});
    words.insert(words.end(), {path, "2M"});
    qemu_img.run(words, "cannot", path);
    return path;
  };
  const auto base = make("base", "");
  CHECK_FALSE(is_empty_overlay(qemu_img, qemu_img.info(base)));
  const auto overlay = make("overlay", base);
  CHECK(is_empty_overlay(qemu_img, qemu_img.info(overlay)));
  // Zeros hide what is below just as data does.
  qemu_img.run({"bench", "-w", "-c", "1", "-s", "4096", "-f", "qcow2", "--pattern=7", overlay},
               "cannot", overlay);
  CHECK_FALSE(is_empty_overlay(qemu_img, qemu_img.info(overlay)));
  std::filesystem::remove_all(folder);
}

TEST_CASE("the clone's profile says what has to differ, and nothing else") {
  const std::map<std::string, std::string> plain{
      {"/p/web.toml", "[[disk]]\nsize = \"1 GiB\"\n[[network]]\nforward = [\"auto:22\"]\n"}};
  auto parent = load(plain, "/p/web.toml");
  REQUIRE(parent.diagnostics.empty());
  const CloneNames names{"web", "test", "/p/web.toml", "machine", "test", "/data/web"};
  const auto little = clone_profile(parent.profile, names);
  CHECK(little.text ==
        "# A clone of the VM web. What is not said here is as in the profile that it extends.\n"
        "extends = \"/p/web.toml\"\nname = \"test\"\n");
  CHECK(little.notes.empty());
}

TEST_CASE("what two VMs cannot both have is another one's in the clone") {
  std::map<std::string, std::string> files{
      {"/p/web.toml",
       "[machine]\nuuid = \"6d0f7b1c-0000-4000-8000-000000000001\"\n"
       "[[disk]]\nfile = \"own.qcow2\"\nsize = \"1 GiB\"\n"
       "[[disk]]\nname = \"iso\"\nmedia = \"cdrom\"\nfile = \"cd.iso\"\n"
       "[[disk]]\nname = \"ro\"\nfile = \"ro.raw\"\nformat = \"raw\"\nreadonly = true\n"
       "[[network]]\nmac = \"52:54:00:12:34:56\"\n"
       "forward = [\"2223:22\", \"udp:0.0.0.0:5353:53\", \"auto:80\"]\n"}};
  const auto parent = load(files, "/p/web.toml");
  REQUIRE_FALSE(has_errors(parent.diagnostics));
  const CloneNames names{"web", "test", "/p/web.toml", "machine", "test", "/data/web"};
  const auto made = clone_profile(parent.profile, names);
  CHECK(made.notes.size() == 3);
  files["/data/test/test.toml"] = made.text;
  const auto clone = load(files, "/data/test/test.toml");
  REQUIRE_FALSE(has_errors(clone.diagnostics));
  const auto& profile = clone.profile;
  CHECK(profile.name == "test");
  CHECK(profile.machine.uuid != parent.profile.machine.uuid);
  REQUIRE(profile.disks.size() == 3);
  CHECK(profile.disks[0].file == "/data/test/root.qcow2");
  CHECK(profile.disks[1].file == "/p/cd.iso");
  CHECK(profile.disks[2].file == "/p/ro.raw");
  REQUIRE(profile.networks.size() == 1);
  CHECK(profile.networks[0].mac != "52:54:00:12:34:56");
  REQUIRE(profile.networks[0].forward.size() == 3);
  CHECK(profile.networks[0].forward[0] == Forward{Protocol::tcp, "127.0.0.1", 0, 22});
  CHECK(profile.networks[0].forward[1] == Forward{Protocol::udp, "0.0.0.0", 0, 53});
  CHECK(profile.networks[0].forward[2] == Forward{Protocol::tcp, "127.0.0.1", 0, 80});
  // A clone of the clone, whose disk lies beside its profile already.
  const CloneNames again{"test", "third", "test.toml", "machine", "third", "/data/test"};
  files["/data/third/test.toml"] = made.text;
  files["/data/third/third.toml"] = clone_profile(profile, again).text;
  const auto third = load(files, "/data/third/third.toml");
  REQUIRE_FALSE(has_errors(third.diagnostics));
  CHECK(third.profile.disks[0].file == "/data/third/root.qcow2");
  CHECK(third.profile.networks[0].mac != profile.networks[0].mac);
}
