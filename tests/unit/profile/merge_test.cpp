// SPDX-License-Identifier: MIT
#include "texts.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

test::Texts texts(const std::string& main, std::map<std::string, std::string> others) {
  test::Texts world;
  world.files = std::move(others);
  world.files["/vms/vm.toml"] = main;
  return world;
}

Profile sound(const test::Texts& world, const std::vector<std::string>& settings = {}) {
  const auto loaded = world.load(settings);
  CHECK(render(loaded.diagnostics) == "");
  return loaded.profile;
}

}  // namespace

TEST_CASE("tables merge key by key, and what stands later wins") {
  const auto profile = sound(
      texts("extends = \"base.toml\"\n[machine]\ntpm = true\n[machine.smbios]\nsku = \"1\"\n",
            {{"/vms/base.toml",
              "name = \"base\"\n[machine]\nmemory = \"4 GiB\"\ntpm = false\n"
              "[machine.smbios]\nfamily = \"f\"\nsku = \"0\"\n[[disk]]\nsize = \"1 GiB\"\n"}}));
  CHECK(profile.name == "base");
  CHECK(profile.machine.memory == 4 * gib);
  CHECK(profile.machine.tpm);
  CHECK(profile.machine.smbios.family == "f");
  CHECK(profile.machine.smbios.sku == "1");
  // Each value has the place in its own file.
  CHECK(profile.where("machine.memory").text() == "base.toml:3:10");
  CHECK(profile.where("machine.tpm").text() == "vm.toml:3:7");
}

TEST_CASE("lists of tables merge by what their elements are called") {
  const std::string digest = "sha256 = \"" + std::string(64, 'a') + "\"\n";
  const auto profile = sound(texts(
      "extends = \"base.toml\"\n"
      "[[disk]]\nname = \"data\"\nsize = \"5 GiB\"\n[[disk]]\nname = \"more\"\nsize = \"1 GiB\"\n"
      "[[disk]]\nname = \"root\"\ncache = \"none\"\n"
      "[[network]]\nforward = [\"2224:22\"]\n"
      "[[share]]\ntag = \"a\"\nreadonly = true\n"
      "[[usb]]\ndevice = \"mouse\"\n"
      "[[image]]\nname = \"i\"\narch = \"aarch64\"\nurl = \"https://e.org/arm2\"\n" +
          digest,
      {{"/vms/base.toml",
        "[[disk]]\nsize = \"1 GiB\"\n[[disk]]\nname = \"data\"\nsize = \"2 GiB\"\nserial = \"s\"\n"
        "[[network]]\nforward = [\"2223:22\", \"8080:80\"]\n"
        "[[share]]\ntag = \"a\"\npath = \"/a\"\n[[usb]]\ndevice = \"tablet\"\n"
        "[[image]]\nname = \"i\"\nurl = \"https://e.org/x86\"\n" +
            digest + "[[image]]\nname = \"i\"\narch = \"aarch64\"\nurl = \"https://e.org/arm\"\n" +
            digest}}));
  REQUIRE(profile.disks.size() == 3);
  // A nameless first disk is called root, there as here.
  CHECK(profile.disks[0].name == "root");
  CHECK(profile.disks[0].size == gib);
  CHECK(profile.disks[0].cache == DiskCache::none);
  CHECK(profile.disks[1].size == 5 * gib);
  CHECK(profile.disks[1].serial == "s");
  CHECK(profile.disks[2].name == "more");
  // A plain list is replaced.
  REQUIRE(profile.networks.size() == 1);
  CHECK(profile.networks[0].forward == std::vector{Forward{Protocol::tcp, "127.0.0.1", 2224, 22}});
  REQUIRE(profile.shares.size() == 1);
  CHECK(profile.shares[0].path == "/a");
  CHECK(profile.shares[0].readonly);
  REQUIRE(profile.usb.size() == 2);
  CHECK(profile.usb[1].device == "mouse");
  REQUIRE(profile.images.size() == 2);
  CHECK(profile.images[0].url == "https://e.org/x86");
  CHECK(profile.images[1].url == "https://e.org/arm2");
}

TEST_CASE("several bases, by path and by name, from folders of their own") {
  auto world =
      texts("extends = [\"../a/one.toml\", \"two\"]\n",
            {{"/vms/../a/one.toml",
              "[machine]\nmemory = \"1 GiB\"\nballoon = false\n[kernel]\nimage = \"bz\"\n"},
             {"/lib/two.toml",
              "extends = \"three.toml\"\n[machine]\nmemory = \"3 GiB\"\n"
              "[[disk]]\nfile = \"d.qcow2\"\n"},
             {"/lib/three.toml", "[machine]\nmemory = \"5 GiB\"\nrng = false\n"}});
  world.named["two"] = "/lib/two.toml";
  const auto loaded = world.load();
  CHECK(render(loaded.diagnostics) == "");
  const auto& profile = loaded.profile;
  CHECK(profile.machine.memory == 3 * gib);
  CHECK_FALSE(profile.machine.balloon);
  CHECK_FALSE(profile.machine.rng);
  CHECK(profile.kernel.image == "/vms/../a/bz");
  CHECK(profile.disks.at(0).file == "/lib/d.qcow2");
  REQUIRE(loaded.sources.size() == 4);
  CHECK(loaded.sources[0]->name == "vm.toml");
  CHECK(loaded.sources[1]->name == "../a/one.toml");
  CHECK(loaded.sources[2]->name == "/lib/two.toml");
}

TEST_CASE("a base that two others share is no cycle") {
  const auto profile = sound(texts("extends = [\"a.toml\", \"b.toml\"]\n",
                                   {{"/vms/a.toml", "extends = \"c.toml\"\n"},
                                    {"/vms/b.toml", "extends = \"c.toml\"\n"},
                                    {"/vms/c.toml", "[[disk]]\nsize = \"1 GiB\"\n"}}));
  CHECK(profile.disks.size() == 1);
}

TEST_CASE("a cycle with a detour in its path is a cycle all the same") {
  const auto loaded = texts("extends = \"../vms/vm.toml\"\n", {{"/vms/../vms/vm.toml", ""}}).load();
  REQUIRE(loaded.diagnostics.size() == 1);
  CHECK(loaded.diagnostics[0].message == "`vm.toml` extends itself");
}

TEST_CASE("a name given twice in one file stays a mistake when it is merged") {
  const auto loaded =
      texts("extends = \"base.toml\"\n[[disk]]\nname = \"root\"\n[[disk]]\nname = \"root\"\n",
            {{"/vms/base.toml", "[[disk]]\nsize = \"1 GiB\"\n"}})
          .load();
  REQUIRE_FALSE(loaded.diagnostics.empty());
  CHECK(render(loaded.diagnostics).find("two disks are named `root`") != std::string::npos);
}

TEST_CASE("--set: values of every type") {
  const auto base = texts(
      "[[disk]]\nsize = \"1 GiB\"\n[[disk]]\nname = \"data\"\nsize = \"1 GiB\"\n"
      "[[share]]\ntag = \"a.b\"\npath = \"/a\"\n",
      {});
  const auto profile =
      sound(base, {"machine.memory=4GiB", "name=other", "machine.tpm=true", "cpu.count=8",
                   "disk.root.size=60GiB", "disk.data.file=d.qcow2", "share.a.b.path=~/x",
                   "cpu.features=+vmx,-pcid", "machine.boot=[\"cdrom\", \"disk\"]",
                   "description=\"quoted, text\"", "machine.smbios.sku=1=2", "ready.timeout=5m",
                   "guest.credentials.a.b=c", "qemu.args=", "machine.rtc=2026-01-31"});
  CHECK(profile.machine.memory == 4 * gib);
  CHECK(profile.name == "other");
  CHECK(profile.machine.tpm);
  CHECK(profile.cpu.count == 8);
  CHECK(profile.disks[0].size == 60 * gib);
  // Words of the command line are relative to where it is typed.
  CHECK(profile.disks[1].file == "/here/d.qcow2");
  CHECK(profile.shares[0].path == "/home/user/x");
  CHECK(profile.cpu.features == std::vector<std::string>{"+vmx", "-pcid"});
  CHECK(profile.machine.boot == std::vector{BootDevice::cdrom, BootDevice::disk});
  CHECK(profile.description == "quoted, text");
  CHECK(profile.machine.smbios.sku == "1=2");
  CHECK(profile.ready.timeout == std::chrono::minutes(5));
  CHECK(profile.guest.credentials.at("a.b") == "c");
  CHECK(profile.machine.rtc == "2026-01-31");
  CHECK(profile.where("machine.memory").text() == "--set:1:16");
  CHECK(profile.where("cpu.features[1]").column == 19);
}

TEST_CASE("--set: the network that nobody wrote") {
  const auto world = texts("[[disk]]\nsize = \"1 GiB\"\n", {});
  auto profile = sound(world, {"network.net0.forward=[\"2223:22\"]"});
  REQUIRE(profile.networks.size() == 1);
  CHECK(profile.networks[0].forward == std::vector{Forward{Protocol::tcp, "127.0.0.1", 2223, 22}});
  // Another key of it leaves the ssh port that it has.
  profile = sound(world, {"network.net0.restrict=true"});
  CHECK(profile.networks[0].restrict);
  CHECK(profile.networks[0].forward == std::vector{Forward{Protocol::tcp, "127.0.0.1", 0, 22}});
  profile = sound(world, {"network.net0.mode=none", "network.net0.forward="});
  CHECK(profile.networks[0].mode == NetworkMode::none);
}

TEST_CASE("--set: the last one wins, and it wins over the file") {
  const auto profile =
      sound(texts("[machine]\nmemory = \"1 GiB\"\n[[disk]]\nsize = \"1 GiB\"\n", {}),
            {"machine.memory=2GiB", "machine.memory=3GiB"});
  CHECK(profile.machine.memory == 3 * gib);
}

TEST_CASE("--set: words that cannot be followed") {
  const std::string file = "[[disk]]\nsize = \"1 GiB\"\n";
  const auto said = [&](const std::string& words) { return test::findings(file, {words}); };
  CHECK(said("machine.memroy=4GiB") ==
        "error: unknown key `memroy` in [machine]\n"
        "  --> --set:1:9\n"
        "   |\n"
        " 1 | machine.memroy=4GiB\n"
        "   |         ^^^^^^\n"
        "  help: did you mean `memory`?\n");
  CHECK(said("disk.roots.size=4GiB") ==
        "error: there is no disk `roots`\n"
        "  --> --set:1:6\n"
        "   |\n"
        " 1 | disk.roots.size=4GiB\n"
        "   |      ^^^^^\n"
        "  help: the profile has `root`\n");
  CHECK(said("machine.memory=8GB") ==
        "error: `8GB` is 8000000000 bytes, not a multiple of 1 MiB\n"
        "  --> --set:1:16\n"
        "   |\n"
        " 1 | machine.memory=8GB\n"
        "   |                ^^^\n"
        "  help: write \"8 GiB\", or \"7629 MiB\", the nearest below\n");
  CHECK(said("machine.memory") ==
        "error: `machine.memory` sets nothing: there is no `=`\n"
        "  --> --set:1:1\n"
        "   |\n"
        " 1 | machine.memory\n"
        "   | ^^^^^^^^^^^^^^\n"
        "  help: write KEY=VALUE, as in machine.memory=4GiB\n");
  CHECK(said("memory=4GiB").find("`memory` belongs in [machine]") != std::string::npos);
  CHECK(said("machin.memory=4GiB").find("did you mean [machine]?") != std::string::npos);
  CHECK(said("machine=q35").find("`machine` is a section, no key") != std::string::npos);
  CHECK(said("disk.size=4GiB").find("write disk.NAME.size=VALUE; the profile has `root`") !=
        std::string::npos);
  CHECK(said("disk.root.sise=4GiB").find("did you mean `size`?") != std::string::npos);
  CHECK(said("share.a.path=/x").find("the profile has no [[share]]") != std::string::npos);
  CHECK(said("network.net1.mode=none").find("there is no network `net1`") != std::string::npos);
  CHECK(said("usb.0.device=mouse").find("the elements of [[usb]] have no names") !=
        std::string::npos);
  CHECK(said("extends=x").find("cannot be set from outside") != std::string::npos);
  CHECK(said("machine..memory=1").find("`machine..memory` is not a key") != std::string::npos);
  CHECK(said("machine.memory.size=1").find("goes deeper than `memory`") != std::string::npos);
  CHECK(said("machine.boot=[disk").find("`[disk` is not a TOML list") != std::string::npos);
  CHECK(said("machine.tpm=yes").find("write tpm = true") != std::string::npos);
  CHECK(said("disk.root.file=$NONE/x").find("--> --set:1:16\n") != std::string::npos);
  CHECK(said("name.x=1").find("`name` is a key, no section") != std::string::npos);
}
