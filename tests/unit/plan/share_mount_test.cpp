// SPDX-License-Identifier: MIT
#include "plan/share_mount.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("how a guest mounts a share: for a shell, and for Nix") {
  PlannedShare share;
  share.tag = "work";
  CHECK(mount_command(share) ==
        "mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288 work /mnt/work");
  CHECK(nixos_mount(share) ==
        "fileSystems.\"/mnt/work\" = { device = \"work\"; fsType = \"9p\"; options = [ "
        "\"trans=virtio\" \"version=9p2000.L\" \"msize=524288\" ]; };");
  share.virtiofs = true;
  CHECK(mount_command(share) == "mount -t virtiofs work /mnt/work");
  share.readonly = true;
  share.tag = "a b/\"${c}\"\\";
  share.mount = "/x y";
  CHECK(mount_command(share) == "mount -t virtiofs -o ro 'a b/\"${c}\"\\' '/x y'");
  CHECK(nixos_mount(share) ==
        "fileSystems.\"/x y\" = { device = \"a b/\\\"\\${c}\\\"\\\\\"; fsType = \"virtiofs\"; "
        "options = [ \"ro\" ]; };");
  share.mount.clear();
  share.tag = "a/b";
  CHECK(mount_target(share) == "/mnt/a-b");
}
