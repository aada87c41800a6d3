// SPDX-License-Identifier: MIT
#include "vm/share/guest_mounts.hpp"

#include "vm/share/detach.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("mountinfo of a guest: places, parts, options of the mount and of the system") {
  const auto mounts = parse_mountinfo(
      "22 1 0:20 / /proc rw,relatime shared:5 - proc proc rw\n"
      "26 1 0:23 / /mnt/a\\040b\\134c ro,nosuid,relatime shared:7 master:2 - 9p my\\040tag "
      "rw,sync,access=client,trans=virtio\n"
      "27 1 0:24 /part /x rw - virtiofs fs rw,seclabel\n"
      "not a line\n28 1 0:25 / /y rw -\n");
  REQUIRE(mounts.size() == 3);
  CHECK(mounts[1].source == "my tag");
  CHECK(mounts[1].type == "9p");
  CHECK(mounts[1].target == "/mnt/a b\\c");
  CHECK(mounts[1].root == "/");
  // Mounted read-only; that the file system itself would let write does not count.
  CHECK(mounts[1].options == "ro,nosuid,relatime,sync,access=client,trans=virtio");
  CHECK(mounts[2].root == "/part");
  CHECK(mounts[2].options == "rw");
}

TEST_CASE("who uses a folder of a guest, from a listing of its /proc") {
  const std::string listing =
      "lrwxrwxrwx 1 root root 0 Nov 20 08:02 /proc/1/cwd -> /\n"
      "lrwxrwxrwx 1 root root 0 Nov 20 08:02 /proc/7/cwd -> /mnt/fs/deep\n"
      "lrwxrwxrwx 1 root root 0 Nov 20 08:02 /proc/8/root -> /mnt/fs2\n"
      "\n/proc/7/fd:\ntotal 0\nl-wx------ 1 root root 64 Nov 20 08:02 3 -> /mnt/fs/file\n"
      "\n/proc/9/fd:\ntotal 0\n"
      "lr-x------ 1 root root 64 Nov 20 08:02 0 -> /dev/null\n"
      "lr-x------ 1 root root 64 Nov 20 08:02 4 -> /mnt/fs\n";
  const auto users = users_of(listing, "/mnt/fs");
  REQUIRE(users.size() == 2);
  CHECK(users[0].pid == 7);
  CHECK(users[0].how == "cwd");
  CHECK(users[0].path == "/mnt/fs/deep");
  CHECK(users[1].pid == 9);
  CHECK(users[1].path == "/mnt/fs");
  CHECK(users_of("", "/mnt/fs").empty());
}

TEST_CASE("what was taken from a guest survives being written down") {
  const std::vector<DetachedShare> shares{{"a\"b", true, "share-1", "{}", {{"/m\n1", "rw"}}},
                                          {"c", false, "dev", "", {}}};
  const auto back = detached_from_json(detached_to_json(shares));
  REQUIRE(back.size() == 2);
  CHECK(back[0].tag == "a\"b");
  CHECK(back[0].virtiofs);
  CHECK(back[0].mounts.at(0).target == "/m\n1");
  CHECK(back[1].mounts.empty());
  CHECK(detached_from_json("").empty());
  CHECK_THROWS_AS(detached_from_json("{"), Error);
}
