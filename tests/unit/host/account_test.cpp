// SPDX-License-Identifier: MIT
#include "host/account.hpp"

#include "host/files.hpp"
#include "scratch.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;
using test::Folder;

TEST_CASE("a user's name and home folder are read from the list of accounts") {
  const Folder folder;
  const auto file = folder.path() + "/passwd";
  write_file_atomic(file,
                    "root:x:0:0:root:/root:/bin/sh\n"
                    "+::::::\n"
                    "half:x:10\n"
                    "ann:x:1000:1000:Ann, room 2:/home/ann lee:/bin/sh\n"
                    "twin:x:1000:1000::/home/twin:/bin/sh\n");
  REQUIRE(account_of(1000, file));
  CHECK(account_of(1000, file)->name == "ann");
  CHECK(account_of(1000, file)->home == "/home/ann lee");
  CHECK(account_of(0, file)->home == "/root");
  CHECK_FALSE(account_of(10, file));
  CHECK_FALSE(account_of(1000, folder.path() + "/nothing"));
}
