// SPDX-License-Identifier: MIT
// The volume as NixOS images made for Lima read it: by a reader in the manner of their init, in a
// guest that has neither cloud-init nor systemd.
#include "core/text.hpp"
#include "guest/micro.hpp"
#include "host/files.hpp"
#include "seed/debian.hpp"

#include <doctest/doctest.h>

namespace {

/// Line by line and with awk, as that init does it: no reader of YAML.
constexpr const char* reader = R"sh(
set -eu
load virtio_blk isofs
cidata=/mnt/lima-cidata
mkdir -p $cidata
mount -t iso9660 -o ro,mode=0700,dmode=0700,overriderockperm,exec,uid=0 /dev/vda $cidata
while read -r line; do export "$line"; done <$cidata/lima.env

# There is no useradd.
id -u "$LIMA_CIDATA_USER" >/dev/null 2>&1 || {
  printf '%s::%s:%s::%s:%s\n' "$LIMA_CIDATA_USER" "$LIMA_CIDATA_UID" "$LIMA_CIDATA_UID" \
    "$LIMA_CIDATA_HOME" "$LIMA_CIDATA_SHELL" >>/etc/passwd
  mkdir -p "$LIMA_CIDATA_HOME"
  chown "$LIMA_CIDATA_UID" "$LIMA_CIDATA_HOME"
}
mkdir -p -m 700 "$LIMA_CIDATA_HOME/.ssh"
awk '
  /^ *ssh-authorized-keys:/ { match($0, /^ */); indent = RLENGTH; keys = 1; next }
  keys { match($0, /^ */); if (RLENGTH <= indent || $1 != "-") { keys = 0; next }
         sub(/^ *- */, ""); gsub("\"", ""); print }
' $cidata/user-data >"$LIMA_CIDATA_HOME/.ssh/authorized_keys"
chown -R "$LIMA_CIDATA_USER" "$LIMA_CIDATA_HOME/.ssh"
chmod 600 "$LIMA_CIDATA_HOME/.ssh/authorized_keys"
awk '
  /^mounts:/ { mounts = 1; next }
  /^[^:]*:/ || /^ *$/ { mounts = 0 }
  mounts { sub(/^ *- \[/, ""); sub(/"?\] *$/, ""); gsub(/"?, "?/, "\t"); print }
' $cidata/user-data >/etc/fstab
for script in $cidata/provision.system/*; do
  "$script" || echo "failed to execute $script"
done
grep -o '^PARAM_[^=]*' $cidata/param.env || :
echo "$LIMA_CIDATA_IID" >/run/lima-boot-done
echo "iid=$LIMA_CIDATA_IID"
echo "environment=$(tr '\n' ',' <$cidata/etc_environment)"
)sh";

constexpr const char* asked = R"sh(
echo user=$(id -u dev)
echo home=$(stat -c '%u' /home/dev)
echo keys=$(grep -c 'AAAAITeamTeam' /home/dev/.ssh/authorized_keys)
echo key_lines=$(wc -l </home/dev/.ssh/authorized_keys)
echo fstab=$(tr '\t' '|' </etc/fstab)
echo work=$(grep -c ' /mnt/work 9p rw' /proc/mounts)
echo space=$(cat '/mnt/my work/f')
echo file=$(cat '/etc/told me') $(stat -c '%a %u' '/etc/told me')
echo host_key=$(cat /etc/ssh/ssh_host_ed25519_key.pub)
echo host_key_mode=$(stat -c %a /etc/ssh/ssh_host_ed25519_key)
echo host_key_lines=$(wc -l </etc/ssh/ssh_host_ed25519_key)
echo root_ran=$(cat /root-ran)
echo user_ran=$(cat /home/dev/user-ran)
echo environment=$(cat /var/lib/qlaunch/environment)
)sh";

}  // namespace

TEST_CASE("a guest made for Lima finds user, keys, mounts, files and scripts in the volume") {
  if (micro::skipped()) return;
  const test::Home home;
  const auto share = home.write("shared/f", "from the host\n");
  const auto folder = share.substr(0, share.rfind('/'));
  home.write("team.pub", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITeamTeamTeam the \"team\"\n");
  micro::Recipe recipe;
  recipe.memory = "256 MiB";
  recipe.body = R"toml(
[guest]
user = "dev"
uid = 4321
shell = "/bin/sh"
ssh_keys = "~/team.pub"
environment = { GREETING = "good day" }
[[guest.file]]
path = "/etc/told me"
content = "so"
mode = "0600"
owner = "dev"
[[guest.run]]
script = "echo $GREETING $(cat /mnt/work/f) >/root-ran"
[[guest.run]]
as = "user"
when = "boot"
script = "id -u >>~/user-ran; pwd >>~/user-ran"
)toml" + micro::share("work", folder, "9p", false) +
                "mount = \"/mnt/work\"\n" + micro::share("odd", folder, "9p", true) +
                "mount = \"/mnt/my work\"\n";
  const micro::Guest guest(home, "lima", recipe);
  const auto read = guest.ssh(reader);
  REQUIRE_MESSAGE(read.code == 0, read.out << read.err);
  auto facts = debian::facts(read.out);
  CHECK(facts["iid"].starts_with("qlaunch-"));
  CHECK(facts["environment"] == "#LIMA-START,GREETING=good day,#LIMA-END,");
  const auto done = guest.wait("provisioned");
  CHECK_MESSAGE(done.code == 0, done.err << home.run({"log", "lima", "provision"}).out);

  const auto answers = guest.ssh(asked);
  facts = debian::facts(answers.out);
  CAPTURE(home.run({"log", "lima", "provision"}).out);
  CHECK(facts["user"] == "4321");
  CHECK(facts["home"] == "4321");
  CHECK(facts["keys"] == "1");
  CHECK(facts["key_lines"] == "2");
  CHECK(facts["fstab"] ==
        "work|/mnt/work|9p|trans=virtio,version=9p2000.L,msize=524288,rw,nofail|0|0");
  CHECK(facts["work"] == "1");
  CHECK(facts["space"] == "from the host");
  CHECK(facts["file"] == "so 600 4321");
  const auto keys = home.path() + "/data/lima/ssh/keys/ssh_host_ed25519_key";
  CHECK(facts["host_key"] == qlaunch::trim(qlaunch::read_file(keys + ".pub")));
  CHECK(facts["host_key_mode"] == "600");
  CHECK(facts["host_key_lines"] ==
        std::to_string(qlaunch::split(qlaunch::read_file(keys), '\n').size() - 1));
  CHECK(facts["root_ran"] == "good day from the host");
  CHECK(facts["user_ran"] == "4321 /home/dev");
  CHECK(facts["environment"] == "export GREETING='good day'");

  // At the next boot what is to run once does not run again; here that is a second call.
  const auto again = guest.ssh(
      "rm /root-ran; sh /mnt/lima-cidata/provision.system/00-qlaunch; ls /root-ran; "
      "echo user_ran=$(wc -l </home/dev/user-ran)\n"
      "echo key_lines=$(wc -l </home/dev/.ssh/authorized_keys)\n");
  facts = debian::facts(again.out);
  CHECK_FALSE(test::contains(again.out, "/root-ran"));
  CHECK(facts["user_ran"] == "4");
  CHECK(facts["key_lines"] == "2");
}
