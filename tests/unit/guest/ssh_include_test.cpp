// SPDX-License-Identifier: MIT
#include "guest/ssh_include.hpp"

#include "core/error.hpp"

#include <doctest/doctest.h>

using qlaunch::include_line;
using qlaunch::with_include;

namespace {
const std::string ours = "/home/ann/.local/share/qlaunch/ssh_config";
const std::string home = "/home/ann";
}  // namespace

TEST_CASE("the line goes to the top of a configuration, and nothing else changes") {
  CHECK(with_include("", ours, home) == "Include \"" + ours + "\"\n");
  const std::string before = "# mine\r\nHost a\r\n  User b\r\n";
  CHECK(with_include(before, ours, home) == "Include \"" + ours + "\"\r\n\r\n" + before);
  const std::string no_end = "Host a";
  CHECK(with_include(no_end, ours, home) == "Include \"" + ours + "\"\n\n" + no_end);
}

TEST_CASE("a second time changes nothing") {
  auto once = with_include("Host a\n", ours, home);
  REQUIRE(once);
  CHECK(!with_include(*once, ours, home));
  for (const auto* line :
       {"Include /home/ann/.local/share/qlaunch/ssh_config\n",
        "  include ~/.local/share/qlaunch/ssh_config\n",
        "INCLUDE=\"/home/ann/.local/share/qlaunch/ssh_config\"\n",
        "# first\n\nInclude other.conf '/home/ann/.local/share/qlaunch/ssh_config'\nHost a\n"})
    CHECK_MESSAGE(!with_include(line, ours, home), line);
}

TEST_CASE("a line that holds for some hosts only does not count") {
  for (const std::string above : {"Host a\n", "Match all\n", "host=a\n"}) {
    const auto config = above + include_line(ours) + "\n";
    CHECK(with_include(config, ours, home) == include_line(ours) + "\n\n" + config);
  }
  // Nor one that is a comment, or leads elsewhere.
  CHECK(with_include("# " + include_line(ours), ours, home));
  CHECK(with_include("Include /home/ann/.local/share/qlaunch/ssh_config2\n", ours, home));
}

TEST_CASE("paths in the line are taken for what they are") {
  CHECK(include_line("/a b/c") == "Include \"/a b/c\"");
  // For glob(7) one backslash, and another for the quotes around it.
  CHECK(include_line("/[x]*") == R"(Include "/\\[x]\\*")");
  CHECK(include_line("/a\"b") == R"(Include "/a\"b")");
  CHECK(!with_include(include_line("/[x]*") + "\n", "/[x]*", home));
  CHECK(!with_include(include_line("/a \"b\" c") + "\n", "/a \"b\" c", home));
  CHECK_THROWS_AS(include_line("/a\nHost *"), qlaunch::Error);
}
