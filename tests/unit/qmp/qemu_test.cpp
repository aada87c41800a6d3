// SPDX-License-Identifier: MIT
// The same clients against a real QEMU, which takes its listening socket as a descriptor.
#include "qmp/client.hpp"
#include "qmp/sync.hpp"
#include "scratch.hpp"

#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace asio = boost::asio;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

std::optional<std::filesystem::path> find_qemu() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');) {
    auto candidate = std::filesystem::path(folder) / "qemu-system-x86_64";
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

/// QEMU with a machine of nothing, gone again with the object.
class Qemu {
 public:
  explicit Qemu(const std::filesystem::path& binary, const std::vector<std::string>& more = {})
      : listener_(folder_.path() / "qmp") {
    const int handed = ::dup(listener_.fd());  // without close-on-exec
    std::vector<std::string> words = {binary.string(),
                                      "-machine",
                                      "none",
                                      "-nodefaults",
                                      "-S",
                                      "-display",
                                      "none",
                                      "-chardev",
                                      "socket,id=q,server=on,wait=off,fd=" + std::to_string(handed),
                                      "-mon",
                                      "chardev=q,mode=control"};
    words.insert(words.end(), more.begin(), more.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int error = ::posix_spawn(&pid_, binary.c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(handed);
    REQUIRE(error == 0);
    pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    REQUIRE(pidfd_ >= 0);
  }
  Qemu(const Qemu&) = delete;
  Qemu& operator=(const Qemu&) = delete;
  ~Qemu() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
    ::close(pidfd_);
  }

  [[nodiscard]] std::filesystem::path socket() const { return folder_.path() / "qmp"; }
  [[nodiscard]] qmp::Watch watch() const { return {pidfd_, "the process exited"}; }
  /// The exit status as waitpid gives it.
  int wait() {
    int status = -1;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return status;
  }

 private:
  test::ScratchFolder folder_;
  test::Listener listener_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
};

}  // namespace

TEST_CASE("qemu: status, a refused command, quit, then gone") {
  const auto binary = find_qemu();
  if (!binary) {
    MESSAGE("skipped: qemu-system-x86_64 is not in PATH");
    return;
  }
  Qemu qemu(*binary);

  SUBCASE("blocking") {
    qmp::SyncClient client(qemu.socket(), {}, {qemu.watch()});
    CHECK(client.greeting().version["qemu"]["major"].is_number());
    CHECK(client.execute("query-status")["running"] == false);
    try {
      client.execute("query-nothing-at-all");
      FAIL("nothing was thrown");
    } catch (const qmp::Refused& refused) {
      CHECK(refused.error_class() == "CommandNotFound");
    }
    CHECK(client.execute("query-qmp-schema").size() > 500);
    CHECK(client.human_monitor("info status").find("paused") != std::string::npos);
    client.quit();
    CHECK(client.wait_event({"SHUTDOWN"}, 20s).has_value());
    CHECK_THROWS_AS(client.wait_event({}, 20s), qmp::Gone);
    CHECK_THROWS_AS(client.execute("query-status"), qmp::Gone);
    CHECK(qemu.wait() == 0);
  }
  SUBCASE("coroutines, out-of-band") {
    asio::io_context context;
    std::exception_ptr failure;
    const auto body = [&]() -> asio::awaitable<void> {
      qmp::Options options;
      options.oob = true;
      auto client = co_await qmp::Client::connect(qemu.socket(), options);
      auto events = client.subscribe({"SHUTDOWN"});
      std::vector<asio::awaitable<json>> replies;
      replies.reserve(8);
      for (int i = 0; i < 8; ++i) replies.push_back(client.execute("query-status"));
      for (auto& reply : replies) {
        const auto status = co_await std::move(reply);
        CHECK(status["running"] == false);
      }
      co_await client.quit();
      const auto event = co_await events.next_event(20s);
      CHECK(event.has_value());
      bool gone = false;
      try {
        co_await events.next_event(20s);
      } catch (const qmp::Gone&) {
        gone = true;
      }
      CHECK(gone);
    };
    asio::co_spawn(context, body, [&](const std::exception_ptr& problem) { failure = problem; });
    context.run();
    if (failure) std::rethrow_exception(failure);
    CHECK(qemu.wait() == 0);
  }
  SUBCASE("a second client hears that the first holds the socket") {
    const qmp::SyncClient first(qemu.socket(), {}, {qemu.watch()});
    qmp::Options hasty;
    hasty.greeting = 50ms;
    CHECK_THROWS_AS(qmp::SyncClient(qemu.socket(), hasty, {qemu.watch()}), qmp::Busy);
  }
}

TEST_CASE("qemu: one that dies at its start ends the waiting, although the listener lives on") {
  const auto binary = find_qemu();
  if (!binary) {
    MESSAGE("skipped: qemu-system-x86_64 is not in PATH");
    return;
  }
  // The test itself keeps the listening socket open, as a launcher would: no end of file comes.
  Qemu qemu(*binary, {"-no-such-option"});
  CHECK_THROWS_AS(qmp::SyncClient(qemu.socket(), {}, {qemu.watch()}), qmp::Gone);
}
