// SPDX-License-Identifier: MIT
#include "host/certificates.hpp"

#include "host/files.hpp"

#include <filesystem>
#include <functional>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

/// As somebody whom a folder may keep out, which root is not.
bool as_nobody(const std::function<bool()>& holds) {
  const auto child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    constexpr unsigned nobody = 65534;
    bool right = geteuid() != 0 || (setgid(nobody) == 0 && setuid(nobody) == 0);
    try {
      right = right && holds();
    } catch (...) {
      right = false;
    }
    _exit(right ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("certificates beside what may not be read are found") {
  std::string folder = "/tmp/qlaunch-test-XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  chmod(folder.c_str(), 0755);
  const std::string begin = "-----BEGIN CERTIFICATE-----\n";
  const auto write = [&](const std::string& name, const std::string& text, mode_t mode) {
    std::filesystem::create_directories(std::filesystem::path(folder + '/' + name).parent_path());
    qlaunch::write_file_atomic(folder + '/' + name, text, mode, qlaunch::Durability::quick);
  };
  write("a.crt", begin + "a", 0644);
  write("closed/b.crt", begin + "b", 0644);
  write("deep/er/c.crt", begin + "c", 0644);
  write("d.crt", begin + "d", 0);
  write("key.pem", begin + "-----BEGIN PRIVATE KEY-----\n", 0644);
  chmod((folder + "/closed").c_str(), 0);
  CHECK(as_nobody([&] {
    return qlaunch::certificates_below({folder + "/none", folder}) ==
           std::vector<std::string>{begin + "a", begin + "c"};
  }));
  chmod((folder + "/closed").c_str(), 0700);
  qlaunch::remove_tree(folder);
}
