// SPDX-License-Identifier: MIT
// A real Debian with cloud-init, told by the volume who it is: a first boot with many facts, and a
// second one on which a script fails. The guest has no agent.
#include "seed/debian.hpp"

#include "core/text.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace {

using test::contains;

constexpr const char* debian_told = R"toml(
[guest]
hostname = "told-by-qlaunch"
user = "dev"
groups = ["video", "tools"]
timezone = "Europe/Berlin"
ssh_keys = ["auto", "~/team.pub"]
user_data = "own.yaml"
environment = { HASH = "a#b", QUOTES = "it's \"so\" $HOME `id` \\ end", SLASH = "a \\" }

[[guest.file]]
path = "/etc/odd: \"name\" #1"
content = "- [x, {y}]\n\ttab: 'z' # ü\n"
mode = "0640"
owner = "dev:video"

[[guest.run]]
script = "echo once >>/var/tmp/root-runs; id -un; cat /mnt/work/from-host; echo \"$EDITOR\""

[[guest.run]]
as = "user"
when = "boot"
script = '''
#!/bin/bash
set -eu
echo "$(id -un) $HOME $QUOTES $HASH" >>~/runs
echo written by the guest >/mnt/work/by-guest
'''

[[share]]
tag = "work"
path = "work"
driver = "virtiofs"
mount = "/mnt/work"
)toml";

constexpr const char* own_user_data =
    "#cloud-config\n"
    "timezone: Asia/Tokyo\n"
    "write_files:\n  - {path: /etc/own, content: \"own: \xc3\xbc\"}\n"
    "runcmd:\n  - [sh, -c, 'echo ran >/run/own-runcmd']\n";

/// Asked in one go: each ssh under TCG takes its time.
constexpr const char* questions = R"sh(
echo user=$(id -un)
echo uid=$(id -u)
echo groups=$(id -nG)
echo hostname=$(hostname)
echo sudo=$(sudo -n id -u)
echo zone=$(readlink /etc/localtime)
echo editor=$EDITOR
echo "quotes=$QUOTES"
echo "login_hash=$(bash -lc 'echo "$HASH"')"
echo "login_slash=$(bash -lc 'echo "$SLASH"')"
echo file_mode=$(stat -c '%a %U:%G' '/etc/odd: "name" #1')
echo file_text=$(base64 -w0 '/etc/odd: "name" #1')
echo own=$(cat /etc/own)
echo own_runcmd=$(cat /run/own-runcmd)
echo root_runs=$(cat /var/tmp/root-runs)
echo motd=$(cat /etc/motd)
echo user_runs=$(cat ~/runs)
echo work=$(findmnt -n -o FSTYPE,OPTIONS /mnt/work)
echo fstab=$(grep -c '^work' /etc/fstab)
echo same=$(findmnt -n -o FSTYPE,OPTIONS "$SAME")
echo same_text=$(cat "$SAME/from-host")
echo same_write=$(touch "$SAME/x" 2>&1)
echo team_key=$(grep -c 'AAAAITeam' ~/.ssh/authorized_keys)
echo host_keys=$(ls /etc/ssh/ssh_host_*_key)
echo seed_left=$(findmnt -n /run/qlaunch/seed)
echo drive=$(stat -L -c '%a %G' /dev/disk/by-label/cidata)
echo cloud_id=$(cloud-id)
echo status=$(cloud-init status)
echo locked=$(sudo passwd -S dev | cut -d ' ' -f 2)
sudo cloud-init schema --system 2>&1 | sed 's/^/schema=/'
)sh";

/// What cloud-init itself says of a whole [guest], each key of it used.
constexpr const char* everything = R"toml(
[guest]
user = "root"
locale = "de_DE.UTF-8"
timezone = "UTC"
packages = ["git", "no"]
proxy = "http://proxy.example:3128"
ca_certs = "./ca.pem"
ssh_keys = "~/team.pub"
[[guest.file]]
path = "/etc/x"
source = "binary"
owner = "root:root"
[[share]]
tag = "work"
path = "work"
driver = "9p"
mount = "same"
)toml";

}  // namespace

TEST_CASE("a Debian is who it is told to be, and runs what it is told to run") {
  const auto folder = micro::debian();
  const auto virtiofsd = micro::rust_virtiofsd();
  if (folder.empty() || virtiofsd.empty()) return;
  const test::Home home;
  home.write("team.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITeamTeamTeam team's \"key\"\n");
  home.write("own.yaml", own_user_data);
  home.write("work/from-host", "hello from the host\n");
  home.write("my share/from-host", "through a name with a space\n");
  home.write("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  home.write("binary", std::string("\xff\x00\x01", 3));
  // The example for a cloud image, with this one in its place.
  const char* example = std::getenv("QLAUNCH_EXAMPLES");
  REQUIRE(example != nullptr);
  home.write("example.toml", qlaunch::read_file(std::string(example) + "/debian/debian.toml"));
  const auto body =
      "extends = \"example.toml\"\n" + debian::profile_head("deb", folder) + debian_told;
  const auto with_shares = "qemu.virtiofsd = \"" + virtiofsd + "\"\n" + body +
                           "[[share]]\ntag = \"odd\"\npath = \"my share\"\ndriver = \"9p\"\n"
                           "readonly = true\nmount = \"same\"\n";
  home.write("deb.toml", with_shares);

  const auto first = home.run({"up", "deb.toml"}, std::chrono::minutes(6));
  REQUIRE_MESSAGE(first.code == 0, first.err << home.run({"log", "deb", "provision"}).out
                                             << home.run({"log", "deb", "serial"}).out);
  const auto said = home.run({"log", "deb", "provision"}).out;
  CHECK(contains(said, "qlaunch: running script 2 (echo once"));
  CHECK(contains(said, "| root\n| hello from the host\n| vim\n"));
  CHECK(contains(said, "qlaunch: done\n"));

  const auto asked =
      debian::ssh(home, "deb", "dev", "SAME='" + home.file("my share") + "'\n" + questions);
  REQUIRE_MESSAGE(asked.code == 0, asked.err);
  auto facts = debian::facts(asked.out);
  CHECK(facts["user"] == "dev");
  // The host's user, as whom the commands of the tests run.
  CHECK(facts["uid"] == std::to_string(test::user()));
  CHECK(facts["groups"] == "dev video tools");
  CHECK(facts["hostname"] == "told-by-qlaunch");
  CHECK(facts["sudo"] == "0");
  CHECK(facts["locked"] == "L");
  CHECK(facts["zone"] == "/usr/share/zoneinfo/Asia/Tokyo");
  CHECK(facts["editor"] == "vim");
  CHECK(facts["quotes"] == "it's \"so\" $HOME `id` \\ end");
  CHECK(facts["login_hash"] == "a#b");
  CHECK(facts["login_slash"] == "a \\");
  CHECK(facts["file_mode"] == "640 dev:video");
  CHECK(facts["file_text"] == "LSBbeCwge3l9XQoJdGFiOiAneicgIyDDvAo=");
  CHECK(facts["own"] == "own: \xc3\xbc");
  CHECK(facts["own_runcmd"] == "ran");
  CHECK(facts["motd"] == "Set up for vim users.");
  CHECK(facts["root_runs"] == "once");
  CHECK(facts["user_runs"] == "dev /home/dev it's \"so\" $HOME `id` \\ end a#b");
  CHECK(facts["work"].starts_with("virtiofs rw"));
  CHECK(facts["fstab"] == "1");
  CHECK(facts["same"].starts_with("9p ro"));
  CHECK(facts["same_text"] == "through a name with a space");
  CHECK(contains(facts["same_write"], "Read-only file system"));
  CHECK(facts["team_key"] == "1");
  CHECK(facts["host_keys"] == "/etc/ssh/ssh_host_ed25519_key");
  CHECK(facts["seed_left"] == "");
  CHECK(facts["drive"] == "660 disk");
  CHECK(facts["cloud_id"] == "nocloud");
  CHECK(facts["status"] == "status: done");
  CHECK(contains(facts["schema"], "Valid cloud-config"));
  CHECK(qlaunch::try_read_file(home.file("work/by-guest")).value_or("") ==
        "written by the guest\n");

  {
    home.write("all.toml", debian::profile_head("all", folder) + everything);
    const auto script = home.run({"args", "all.toml"});
    REQUIRE_MESSAGE(script.code == 0, script.err);
    for (const auto& line : qlaunch::split(script.out, '\n')) {
      if (!contains(line, "\"name\":\"user-data\"")) continue;
      auto json = line;
      if (json.ends_with(',')) json.pop_back();
      home.write("user-data", nlohmann::json::parse(json).at("text").get<std::string>());
    }
    const auto text = qlaunch::read_file(home.file("user-data"));
    const auto valid = debian::ssh(
        home, "deb", "dev",
        "cat >/tmp/user-data <<'END'\n" + text + "END\ncloud-init schema -c /tmp/user-data 2>&1");
    CHECK_MESSAGE(valid.code == 0, valid.out);
  }

  const auto stopped = home.run({"shutdown", "deb"});
  REQUIRE_MESSAGE(stopped.code == 0, stopped.err);
  home.write("deb.toml",
             with_shares +
                 "[[guest.run]]\nwhen = \"boot\"\nscript = '''\necho about to fail >&2\n"
                 "printf '%s' 'the last words'\nexit 7\n'''\n"
                 "[[guest.run]]\nscript = \"touch /var/tmp/never\"\n");
  const auto second = home.run({"up", "deb.toml"}, std::chrono::minutes(6));
  CHECK(second.code == 1);
  CHECK_MESSAGE(contains(second.err, "script 4 (echo about to fail >&2): exit code 7"), second.err);
  CHECK(contains(second.err, "about to fail"));
  CHECK(contains(second.err, "the last words"));
  // It runs, and says the same to whoever asks.
  CHECK(contains(home.run({"status", "deb", "--get", "state"}).out, "running"));
  CHECK(home.run({"wait", "deb", "--for", "provisioned"}).code == 1);
  const auto after =
      debian::ssh(home, "deb", "dev",
                  "echo root_runs=$(wc -l </var/tmp/root-runs)\n"
                  "echo user_runs=$(wc -l <~/runs)\n"
                  "echo never=$(ls /var/tmp/never 2>/dev/null)\n"
                  "echo boots=$(sudo sh -c 'ls -d /var/lib/cloud/instances/*' | wc -l)\n"
                  "echo editor=$(grep -c EDITOR /etc/environment)\n");
  REQUIRE_MESSAGE(after.code == 0, after.err);
  facts = debian::facts(after.out);
  CHECK(facts["root_runs"] == "1");
  CHECK(facts["user_runs"] == "2");
  CHECK(facts["never"] == "");
  CHECK(facts["boots"] == "1");
  CHECK(facts["editor"] == "1");
}
