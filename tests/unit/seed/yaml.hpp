// SPDX-License-Identifier: MIT
// A real reader of YAML for the tests of what writes it: python3-yaml, which cloud-init has, too.
#pragma once

#include "host/spawn.hpp"

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/mman.h>
#include <unistd.h>

namespace test {

/// A program with this text on its standard input.
inline qlaunch::Captured run_with(std::vector<std::string> argv, const std::string& input) {
  const qlaunch::UniqueFd file(memfd_create("input", MFD_CLOEXEC));
  qlaunch::write_all(file.get(), input, "the input");
  lseek(file.get(), 0, SEEK_SET);
  qlaunch::SpawnOptions options;
  options.argv = std::move(argv);
  options.descriptors = {{0, file.get()}};
  return qlaunch::run_and_capture(options, std::chrono::seconds(60), std::size_t{16} << 20);
}

/// False, said as a skipped test case, where there is none.
inline bool has_yaml() {
  static const bool there = qlaunch::run_and_capture({"python3", "-c", "import yaml"}).ok();
  if (!there)
    std::cout << "[skip] " << doctest::getContextOptions()->currentTest->m_name
              << ": python3-yaml is not installed" << std::endl;
  return there;
}

inline nlohmann::json read_yaml(const std::string& text) {
  const char* script = std::getenv("QLAUNCH_YAML");
  REQUIRE(script != nullptr);
  const auto done = run_with({"python3", script}, text);
  REQUIRE_MESSAGE(done.ok(), done.err);
  return nlohmann::json::parse(done.out);
}

}  // namespace test
