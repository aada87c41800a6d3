// SPDX-License-Identifier: MIT
#include "vm/ephemeral.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

using namespace qlaunch;
namespace fs = std::filesystem;

TEST_CASE("an ephemeral VM's folder goes while another command makes locks in it") {
  char name[] = "/tmp/qlaunch-unit.XXXXXX";
  REQUIRE(mkdtemp(name) != nullptr);
  const std::string home = name;
  VmPaths paths;
  paths.data = home + "/data/vm";
  paths.state = home + "/state/vm";
  paths.runtime = home + "/run/vm";
  std::atomic<bool> done = false;
  std::thread other([&] {
    const auto lock = paths.data + "/lock";
    while (!done) {
      const int fd = open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
      if (fd >= 0) close(fd);
    }
  });
  for (int round = 0; round < 300; ++round) {
    for (const auto& folder : {paths.data, paths.state, paths.runtime})
      fs::create_directories(folder);
    mark_ephemeral(paths);
    for (const char* file : {"/vm.json", "/root.qcow2", "/end.json"}) {
      std::ofstream(paths.data + file) << "text";
    }
    CHECK(is_ephemeral(paths));
    CHECK_NOTHROW(remove_ephemeral(paths));
    CHECK_FALSE(fs::exists(paths.data));
  }
  done = true;
  other.join();
  CHECK(fs::is_empty(home + "/data"));
  fs::remove_all(home);
}
