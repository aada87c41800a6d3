// SPDX-License-Identifier: MIT
// A Debian without cloud-init, told who it is by systemd credentials alone.
#include "core/text.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "seed/debian.hpp"

#include <filesystem>

#include <doctest/doctest.h>

TEST_CASE("a systemd that has no cloud-init is told by credentials") {
  const auto folder = micro::debian();
  if (folder.empty()) return;
  const test::Home home;
  home.write("team.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITeamTeamTeam 100% \\n \"team\"\n");
  home.write("sys.toml", debian::profile_head("sys", folder, true) + R"toml(
[guest]
via = ["credentials"]
hostname = "by-credentials"
user = "dev"
uid = 4321
groups = ["video", "tools"]
timezone = "Europe/Berlin"
ssh_keys = "~/team.pub"
)toml");
  const auto up = home.run({"up", "sys.toml"}, std::chrono::minutes(6));
  REQUIRE_MESSAGE(up.code == 0, up.err << home.run({"log", "sys", "serial"}).out);
  CHECK_FALSE(std::filesystem::exists(home.path() + "/data/sys/cidata.iso"));
  const auto done = home.run({"exec", "sys", "--", "sh", "-c", R"sh(
echo hostname=$(hostname)
echo id=$(id dev)
echo shell=$(getent passwd dev | cut -d : -f 6,7)
echo zone=$(readlink /etc/localtime)
echo keys=$(stat -c '%a %U' /home/dev/.ssh/authorized_keys)
sed 's/^/key=/' /home/dev/.ssh/authorized_keys
echo sudo=$(su -l dev -c 'sudo -n id -u')
)sh"});
  REQUIRE_MESSAGE(done.code == 0, done.err);
  const auto facts = debian::facts(done.out);
  CAPTURE(done.out);
  CHECK(facts.at("hostname") == "by-credentials");
  CHECK(facts.at("id").starts_with("uid=4321(dev) gid=4321(dev) groups=4321(dev),44(video),"));
  CHECK(test::contains(facts.at("id"), "(tools)"));
  CHECK(facts.at("shell") == "/home/dev:/bin/bash");
  CHECK(facts.at("zone") == "/usr/share/zoneinfo/Europe/Berlin");
  CHECK(facts.at("keys") == "600 dev");
  CHECK(facts.at("sudo") == "0");
  const auto own = qlaunch::read_file(home.path() + "/data/sys/ssh/keys/id_ed25519.pub");
  CHECK(test::contains(done.out, "key=" + own));
  CHECK(test::contains(done.out,
                       "key=ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITeamTeamTeam 100% \\n "
                       "\"team\"\n"));
}
