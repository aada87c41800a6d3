// SPDX-License-Identifier: MIT
// A guest on a bridge of the host: in a network namespace of its own, so that the machine's network
// stays as it is.
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

using test::contains;
using test::eventually;
using test::Home;

namespace {

/// As root, in namespaces of its own: a bridge `qbr0` at 10.0.2.1, a setuid helper where NixOS has
/// it, and /dev/net/tun for every user, as udev makes it. $1 is what stands in bridge.conf; the
/// rest is run.
constexpr auto fence = R"sh(
set -e
mount -t tmpfs none /run
mkdir -p /run/wrappers/bin /run/etc /run/work
cp "$HELPER" /run/wrappers/bin
chmod 4755 /run/wrappers/bin/qemu-bridge-helper
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work none /etc
mkdir -p /etc/qemu
if [ -n "$1" ]; then echo "$1" > /etc/qemu/bridge.conf; fi
mknod /run/tun c 10 200
chmod 666 /run/tun
mount --bind /run/tun /dev/net/tun
ip link add qbr0 type bridge
ip addr add 10.0.2.1/24 dev qbr0
ip link set qbr0 up
shift
exec "$@"
)sh";

test::Result fenced(const Home& home, const std::string& allowed,
                    const std::vector<std::string>& words) {
  auto options = home.program(words);
  options.environment.emplace_back("HELPER=/usr/lib/qemu/qemu-bridge-helper");
  options.argv.insert(options.argv.begin(),
                      {"unshare", "--net", "--mount", "sh", "-c", fence, "sh", allowed});
  const auto done =
      qlaunch::run_and_capture(options, std::chrono::minutes(3), std::size_t{1} << 20);
  return {WIFEXITED(done.status) ? WEXITSTATUS(done.status) : -1, done.out, done.err};
}

bool cannot(const Home& home) {
  if (geteuid() != 0) {
    micro::skip("takes root, to make a bridge");
    return true;
  }
  const auto tried = fenced(home, "", {"true"});
  if (tried.code != 0) micro::skip("no bridge can be made here: " + tried.err);
  return tried.code != 0;
}

std::string profile(const std::string& bridge) {
  return "[[network]]\nname = \"net0\"\nmode = \"bridge\"\nbridge = \"" + bridge + "\"\n";
}

}  // namespace

TEST_CASE("a guest on a bridge, with QEMU's whole sandbox on") {
  if (micro::skipped()) return;
  const Home home;
  if (cannot(home)) return;
  home.write("vm.toml",
             micro::profile("vm", {.body = profile("qbr0"), .ready = "serial:micro: ready"}));
  const auto up = fenced(home, "allow qbr0", {test::binary(), "up", "vm.toml"});
  REQUIRE_MESSAGE(up.code == 0, up.err);
  // The guest's packets arrive at the host's end of the bridge, and the answers at the guest.
  CHECK(
      home.run_with_input({"console", "vm"}, "ping -c 3 -W 20 10.0.2.1 && echo reached=$((6*7))\r")
          .code == 0);
  CHECK(eventually([&] { return contains(home.run({"log", "vm"}).out, "reached=42"); }));
  const auto pid = home.run({"status", "vm", "--get", "pid"}).out;
  const auto status = qlaunch::read_file("/proc/" + pid.substr(0, pid.find('\n')) + "/status");
  CHECK(contains(status, "Seccomp:\t2\n"));
  CHECK(contains(status, "NoNewPrivs:\t1\n"));
}

TEST_CASE("a bridge that cannot be joined: what the helper says, and what to do") {
  const Home home;
  if (cannot(home)) return;
  home.write("vm.toml", "display.type = \"none\"\n" + profile("qbr0"));
  home.write("gone.toml", "display.type = \"none\"\n" + profile("qbr1"));
  const auto up = [&](const std::string& allowed, const std::string& file) {
    return fenced(home, allowed, {test::binary(), "up", file, "--no-wait"});
  };
  const auto unlisted = up("", "vm.toml");
  CHECK(unlisted.code == 1);
  CHECK_MESSAGE(contains(unlisted.err, "cannot join the bridge `qbr0`: failed to parse"),
                unlisted.err);
  CHECK_MESSAGE(contains(unlisted.err, "echo 'allow qbr0' | sudo tee -a /etc/qemu/bridge.conf"),
                unlisted.err);
  const auto denied = up("allow other", "vm.toml");
  CHECK_MESSAGE(contains(denied.err, "access denied by acl file"), denied.err);
  CHECK_MESSAGE(contains(denied.err, "sudo tee -a /etc/qemu/bridge.conf"), denied.err);
  const auto gone = up("allow all", "gone.toml");
  CHECK(gone.code == 1);
  CHECK_MESSAGE(contains(gone.err, "cannot join the bridge `qbr1`"), gone.err);
  CHECK_MESSAGE(contains(gone.err, "ip link show type bridge"), gone.err);
  CHECK(home.run({"list", "-q"}).out.empty());
}
