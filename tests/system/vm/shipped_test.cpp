// SPDX-License-Identifier: MIT
// Every shipped profile started by the real QEMU, paused, and its devices confirmed over QMP.
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"
#include "qmp/sync.hpp"
#include "support/run.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

using nlohmann::json;
using test::contains;
using test::Home;

namespace {

using qlaunch::gib;

/// A shipped profile, started with QEMU's CPUs stopped, seen over its command socket.
class Started {
 public:
  Started(const std::string& profile, std::vector<std::string> settings = {}) : name_(profile) {
    prepare();
    settings.emplace_back("qemu.args=[\"-S\"]");
    std::vector<std::string> words{"up", profile, "--no-wait"};
    for (const auto& setting : settings) words.insert(words.end(), {"--set", setting});
    const auto up = home_.run(words);
    REQUIRE_MESSAGE(up.code == 0, up.err);
    client_.emplace(home_.path() + "/run/" + profile + "/qmp.sock");
  }

  json ask(const std::string& command) { return client_->execute(command); }
  std::string monitor(const std::string& line) { return client_->human_monitor(line); }
  const Home& home() const { return home_; }

  /// The file behind a block node, by its node name; empty where there is no such node.
  std::string file_of(const std::string& node) {
    for (const auto& each : ask("query-named-block-nodes")) {
      if (each["node-name"] == node) return each["file"];
    }
    return {};
  }
  std::size_t cpus() { return ask("query-cpus-fast").size(); }
  std::uint64_t memory() { return ask("query-memory-size-summary")["base-memory"]; }
  bool has_chardev(const std::string& label) {
    const auto all = ask("query-chardev");
    return std::any_of(all.begin(), all.end(),
                       [&](const json& each) { return each["label"] == label; });
  }
  bool has_device(const std::string& type) {
    return contains(monitor("info qtree"), "dev: " + type + ",");
  }
  std::string machine() {
    return client_->execute("qom-get", {{"path", "/machine"}, {"property", "type"}});
  }
  bool machine_property(const std::string& property) {
    return client_->execute("qom-get", {{"path", "/machine"}, {"property", property}});
  }

 private:
  /// What the profiles name on a host that has it.
  void prepare() {
    namespace fs = std::filesystem;
    for (const auto* folder : {"workspace", "scratch", "Downloads"})
      fs::create_directories(home_.file(folder));
    home_.write("Downloads/nixos-minimal-x86_64-linux.iso", std::string(1 << 20, '\0'));
  }

  std::string name_;
  Home home_;
  std::optional<qmp::SyncClient> client_;
};

}  // namespace

TEST_CASE("shipped profile: hello") {
  Home home;
  REQUIRE(home.run({"up", "hello", "--no-wait", "--set", "qemu.args=[\"-S\"]"}).code == 0);
  qmp::SyncClient client(home.path() + "/run/hello/qmp.sock");
  CHECK(client.execute("query-cpus-fast").size() == 1);
  CHECK(client.execute("query-memory-size-summary")["base-memory"] == 16 * qlaunch::mib);
  CHECK(client.execute("query-status")["status"] == "prelaunch");
}

TEST_CASE("shipped profile: nixos-sway") {
  // KVM and a desktop are what this profile is for; here it has to do without both.
  Started vm("nixos-sway", {"machine.accel=tcg", "display.type=none"});
  CHECK(vm.cpus() == 4);
  CHECK(vm.memory() == 8 * gib);
  CHECK(contains(vm.machine(), "pc-q35-"));
  CHECK(vm.has_device("virtio-blk-pci"));
  CHECK(vm.has_device("virtio-net-pci"));
  CHECK(vm.has_device("virtio-vga"));
  CHECK(contains(vm.file_of("file-root"), "/root.qcow2"));
  CHECK(contains(vm.monitor("info usernet"), "2223"));
  CHECK(vm.has_chardev("serial"));
  CHECK(contains(vm.monitor("info block"), "nvram"));
}

TEST_CASE("shipped profile: debian-nested") {
  Started vm("debian-nested");
  CHECK(vm.cpus() == 2);
  CHECK(vm.memory() == 2 * gib);
  CHECK(vm.has_device("virtio-blk-pci"));
  CHECK(contains(vm.monitor("info usernet"), "2224"));
}

TEST_CASE("shipped profile: nixos-workspace") {
  Started vm("nixos-workspace");
  CHECK(vm.cpus() == 4);
  CHECK(vm.memory() == 8 * gib);
  CHECK(vm.has_device("qxl-vga"));
  CHECK(vm.has_device("virtio-9p-pci"));
  CHECK(vm.has_device("virtserialport"));
  CHECK(contains(vm.monitor("info qtree"), "mount_tag = \"kae3g-workspace\""));
  CHECK(contains(vm.monitor("info qtree"), "com.redhat.spice.0"));
  CHECK(contains(vm.file_of("file-installer"), ".iso"));
  const auto spice = vm.ask("query-spice");
  CHECK(spice["enabled"] == true);
  CHECK(spice["host"] == "127.0.0.1");
  CHECK(spice["port"] == 5930);
}

TEST_CASE("shipped profile: nix-store-share") {
  // The store of a host without Nix is any folder.
  Home folder;
  folder.write("store/a-package", "content");
  Started vm("nix-store-share", {"share.nix-store-share.path=" + folder.file("store")});
  CHECK(vm.cpus() == 2);
  CHECK(vm.memory() == 4 * gib);
  CHECK(vm.has_device("vhost-user-fs-pci"));
  CHECK(contains(vm.monitor("info qtree"), "tag = \"nix-store-share\""));
  CHECK(contains(vm.monitor("info qtree"), "queue-size = 1024"));
  const auto backends = vm.ask("query-memdev");
  REQUIRE(backends.size() == 1);
  CHECK(backends[0]["share"] == true);
  CHECK(backends[0]["size"] == 4 * gib);
}

TEST_CASE("shipped profile: direct-kernel") {
  Home folder;
  // A kernel is read when the machine starts: any bytes with a boot signature serve.
  std::string kernel(1 << 16, '\0');
  kernel.replace(0x1fe, 2, "\x55\xaa");
  kernel.replace(0x202, 4, "HdrS");
  kernel.replace(0x206, 2, "\x0c\x02");          // boot protocol 2.12
  kernel.replace(0x22c, 4, "\xff\xff\xff\x7f");  // the highest address for an initrd
  const auto image = folder.write("bzImage", kernel);
  const auto initrd = folder.write("initrd", std::string(4096, '\0'));
  Started vm("direct-kernel", {"kernel.image=" + image, "kernel.initrd=" + initrd});
  CHECK(vm.cpus() == 2);
  CHECK(vm.memory() == gib);
  CHECK(contains(vm.machine(), "pc-q35-"));
}

TEST_CASE("shipped profile: nixos-lima") {
  SUBCASE("where its image cannot be had, that is told") {
    Home home;
    // Nobody listens there: whatever network this machine has, nothing is downloaded.
    home.environment = {"https_proxy=http://127.0.0.1:1", "no_proxy"};
    std::filesystem::create_directories(home.file("scratch"));
    const auto up = home.run({"up", "nixos-lima"});
    CHECK(up.code == 1);
    CHECK(contains(up.err, "cannot download `nixos-lima`"));
    CHECK(contains(up.err, "nixos-lima.toml:"));
    CHECK_FALSE(std::filesystem::exists(home.path() + "/data/nixos-lima"));
  }
  SUBCASE("with an image its devices are there") {
    Home folder;
    const auto image = folder.file("image.qcow2");
    REQUIRE(
        qlaunch::run_and_capture({"qemu-img", "create", "-q", "-f", "qcow2", image, "4M"}).ok());
    Started vm("nixos-lima", {"disk.root.image=" + image});
    CHECK(vm.cpus() == 4);
    CHECK(vm.memory() == 4 * gib);
    const auto tree = vm.monitor("info qtree");
    CHECK(contains(tree, "mount_tag = \"home\""));
    CHECK(contains(tree, "mount_tag = \"scratch\""));
    CHECK(contains(vm.monitor("info usernet"), "HOST_FORWARD"));
  }
}
