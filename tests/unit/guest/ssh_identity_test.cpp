// SPDX-License-Identifier: MIT
#include "guest/ssh_identity.hpp"

#include "host/scratch.hpp"
#include "host/spawn.hpp"

#include <filesystem>
#include <vector>

#include <doctest/doctest.h>

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

using qlaunch::ensure_ssh_identity;
using qlaunch::find_ssh_identity;
using test::Folder;
using test::Variable;

namespace fs = std::filesystem;

namespace {

std::string path_variable() {
  const char* path = std::getenv("PATH");
  return path == nullptr ? "" : path;
}

/// A folder with a program called ssh-keygen; `$REAL` in the script is the real one.
std::string fake_keygen(const Folder& scratch, const std::string& script) {
  const auto real = qlaunch::find_program("ssh-keygen");
  REQUIRE(!real.empty());
  const auto folder = scratch.folder("bin");
  scratch.write("bin/ssh-keygen", "#!/bin/sh\nREAL='" + real + "'\n" + script, 0755);
  return folder;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// What the private key says its public one is.
std::string public_of(const std::string& key) {
  return qlaunch::run_and_capture({"ssh-keygen", "-y", "-f", key}).out;
}

}  // namespace

TEST_CASE("a VM's keys are two pairs that belong together, and nobody else's to read") {
  const Folder scratch;
  const auto folder = scratch / "new VM/ssh";
  CHECK(!find_ssh_identity(folder));
  const auto made = ensure_ssh_identity(folder);
  CHECK(made.public_key.starts_with("ssh-ed25519 "));
  CHECK(made.public_key.ends_with(" qlaunch"));
  CHECK(made.public_key != made.host_public_key);
  CHECK(public_of(made.key) == made.public_key + "\n");
  CHECK(public_of(made.host_key) == made.host_public_key + "\n");
  CHECK(test::mode_of(folder) == 0700);
  for (const auto& file : {made.key, made.key + ".pub", made.host_key, made.host_key + ".pub"})
    CHECK_MESSAGE(test::mode_of(file) == 0600, file);
  CHECK(!fs::exists(made.known_hosts));
  CHECK(fs::path(made.known_hosts).parent_path() == folder);

  const auto again = ensure_ssh_identity(folder);
  CHECK(again.public_key == made.public_key);
  CHECK(again.host_public_key == made.host_public_key);
  const auto found = find_ssh_identity(folder);
  REQUIRE(found);
  CHECK(found->key == made.key);

  // As `rename` does it.
  fs::rename(folder, scratch / "elsewhere");
  CHECK(ensure_ssh_identity(scratch / "elsewhere").public_key == made.public_key);
}

TEST_CASE("several that make a VM's keys at once get the same ones") {
  const Folder scratch;
  const auto folder = scratch / "ssh";
  constexpr int several = 6;
  std::vector<pid_t> pids;
  for (int index = 0; index < several; ++index) {
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      int code = 1;
      try {
        const auto made = ensure_ssh_identity(folder);
        qlaunch::write_file_atomic(scratch / std::to_string(index),
                                   made.public_key + made.host_public_key);
        code = 0;
      } catch (...) {
      }
      _exit(code);
    }
    pids.push_back(pid);
  }
  for (const auto pid : pids) {
    int status = -1;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(status == 0);
  }
  const auto made = ensure_ssh_identity(folder);
  for (int index = 0; index < several; ++index)
    CHECK(qlaunch::read_file(scratch / std::to_string(index)) ==
          made.public_key + made.host_public_key);
  CHECK(names_in(folder) == std::vector<std::string>{"keys", "lock"});
}

TEST_CASE("a missing ssh-keygen is told with the package that has it") {
  const Folder scratch;
  const Variable path("PATH", scratch.path());
  const Variable home("HOME", scratch.path());
  const auto folder = scratch / "ssh";
  try {
    ensure_ssh_identity(folder);
    FAIL("no error");
  } catch (const qlaunch::Error& error) {
    CHECK(test::contains(error.what(), "`ssh-keygen`"));
    CHECK(test::contains(error.diagnostics().front().help.at(0), "openssh"));
  }
  CHECK(!fs::exists(folder + "/keys"));
}

TEST_CASE("keys are there whole or not at all") {
  const Folder scratch;
  const auto folder = scratch / "ssh";
  SUBCASE("ssh-keygen fails at the second pair") {
    const auto bin = fake_keygen(scratch,
                                 "case $* in *host*) echo disk is full >&2; exit 3 ;; esac\n"
                                 "exec \"$REAL\" \"$@\"\n");
    const Variable path("PATH", bin + ":" + path_variable());
    const auto said = test::error_of([&] { ensure_ssh_identity(folder); });
    CHECK(test::contains(said, "exit code 3"));
    CHECK(names_in(folder) == std::vector<std::string>{"lock"});
  }
  SUBCASE("the one who makes them is killed at the second pair") {
    const auto bin = fake_keygen(scratch,
                                 "case $* in *host*) kill -9 $PPID; exit 3 ;; esac\n"
                                 "exec \"$REAL\" \"$@\"\n");
    const Variable path("PATH", bin + ":" + path_variable());
    CHECK(test::in_child([&] {
            ensure_ssh_identity(folder);
            return 0;
          }) == -1);
    CHECK(!find_ssh_identity(folder));
    CHECK(fs::exists(folder + "/making"));
  }
  const auto made = ensure_ssh_identity(folder);
  CHECK(public_of(made.key) == made.public_key + "\n");
  CHECK(names_in(folder) == std::vector<std::string>{"keys", "lock"});
}

TEST_CASE("a key that was taken away is told, not made anew") {
  const Folder scratch;
  const auto folder = scratch / "ssh";
  const auto made = ensure_ssh_identity(folder);
  fs::remove(made.key);
  const auto said = test::error_of([&] { ensure_ssh_identity(folder); });
  CHECK(test::contains(said, made.key));
  CHECK(!fs::exists(made.key));
}

TEST_CASE("a user without a name gets keys, too") {
  // As in a container that was given nothing but a number.
  if (geteuid() != 0) {
    test::skip("takes root to become such a user");
    return;
  }
  constexpr unsigned nameless = 54321;
  const Folder scratch;
  REQUIRE(chown(scratch.path().c_str(), nameless, nameless) == 0);
  const auto folder = scratch / "ssh";
  CHECK(test::in_child([&] {
          if (setresgid(nameless, nameless, nameless) != 0 ||
              setresuid(nameless, nameless, nameless) != 0)
            return 90;
          // As after exec: /proc/self belongs to this user again.
          if (prctl(PR_SET_DUMPABLE, 1) != 0) return 93;
          const auto made = ensure_ssh_identity(folder);
          struct stat status {};
          if (stat(made.key.c_str(), &status) != 0) return 91;
          return status.st_uid == nameless ? 0 : 92;
        }) == 0);
}
