// SPDX-License-Identifier: MIT
#include "cli/case.hpp"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <doctest/doctest.h>

// One test case a file, so that each is counted.
TEST_CASE("cli: version and overview") {
  test::run_case("overview");
}
TEST_CASE("cli: the manual of every command") {
  test::run_case("manuals");
}
TEST_CASE("cli: words that are not understood") {
  test::run_case("words");
}
TEST_CASE("cli: no VMs") {
  test::run_case("no_vms");
}
TEST_CASE("cli: init") {
  test::run_case("init");
}
TEST_CASE("cli: check") {
  test::run_case("check");
}
TEST_CASE("cli: a VM from start to end") {
  test::run_case("life");
}
TEST_CASE("cli: snapshots of a VM") {
  test::run_case("snapshot");
}

TEST_CASE("cli: exec") {
  test::run_case("exec");
}

TEST_CASE("cli: files of the host in a [guest]") {
  test::run_case("guest");
}

TEST_CASE("cli: every .case file has a test") {
  const std::vector<std::string> known{"check",   "exec",   "guest",    "init",     "life",
                                       "manuals", "no_vms", "overview", "snapshot", "words"};
  std::vector<std::string> there;
  for (const auto& entry : std::filesystem::directory_iterator(test::case_folder())) {
    if (entry.path().extension() == ".case") there.push_back(entry.path().stem().string());
  }
  std::sort(there.begin(), there.end());
  CHECK(there == known);
}
