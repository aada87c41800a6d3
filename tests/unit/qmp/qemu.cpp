// SPDX-License-Identifier: MIT
#include "qemu.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace {

std::filesystem::path find_in_path(const char* name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    auto candidate = std::filesystem::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

std::filesystem::path find_qemu(std::string& reason) {
  const char* script = std::getenv("QMP_TEST_QEMU");
  if (script == nullptr) {
    reason = "qemu-system-x86_64 is not in PATH";
    return find_in_path("qemu-system-x86_64");
  }
  const auto output = run({"sh", script});
  reason = "the newer QEMU cannot be had here";
  return output.code == 0 ? output.text : std::string();
}

pid_t spawn(const std::vector<std::string>& words, posix_spawn_file_actions_t& actions) {
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + words[0]);
  return pid;
}

}  // namespace

std::filesystem::path qemu_or_skip() {
  static std::string reason;
  static const auto found = find_qemu(reason);
  if (found.empty()) {
    std::printf("[skip] qemu: %s\n", reason.c_str());
    std::fflush(stdout);
  }
  return found;
}

Output run(const std::vector<std::string>& words) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const auto pid = spawn(words, actions);
  ::close(ends[1]);
  Output output;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::read(ends[0], buffer.data(), buffer.size())) > 0;) {
    output.text.append(buffer.data(), static_cast<std::size_t>(n));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  output.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (!output.text.empty() && output.text.back() == '\n') output.text.pop_back();
  return output;
}

Qemu::Qemu(const std::filesystem::path& binary, const std::vector<std::string>& more)
    : listener_(folder_.path() / "qmp") {
  const int handed = ::dup(listener_.fd());  // without close-on-exec
  std::vector<std::string> words = {binary.string(),
                                    "-nodefaults",
                                    "-S",
                                    "-display",
                                    "none",
                                    "-chardev",
                                    "socket,id=q,server=on,wait=off,fd=" + std::to_string(handed),
                                    "-mon",
                                    "chardev=q,mode=control"};
  words.insert(words.end(), more.begin(), more.end());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_ = spawn(words, actions);
  ::close(handed);
  pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  REQUIRE(pidfd_ >= 0);
}

Qemu::~Qemu() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    wait();
  }
  ::close(pidfd_);
}

int Qemu::wait() {
  int status = -1;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

}  // namespace test
