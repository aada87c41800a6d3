// SPDX-License-Identifier: MIT
// The coroutine client against a real QEMU.
#include "qemu.hpp"
#include "qmp/client.hpp"
#include "qmp/job.hpp"
#include "qmp/requests.hpp"

#include <exception>
#include <functional>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <doctest/doctest.h>

#include <sys/mman.h>

namespace asio = boost::asio;
using asio::awaitable;
using nlohmann::json;
using test::Qemu;
using namespace std::chrono_literals;

namespace {

void run(const Qemu& qemu, const std::function<awaitable<void>(qmp::Client&)>& body) {
  asio::io_context context;
  std::exception_ptr failure;
  asio::co_spawn(
      context,
      [&]() -> awaitable<void> {
        qmp::Options options;
        options.oob = true;
        auto client = co_await qmp::Client::connect(qemu.socket(), options);
        co_await body(client);
      },
      [&](const std::exception_ptr& problem) { failure = problem; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

TEST_CASE("qemu client: several in flight, out of band, typed, quit, then gone") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  run(qemu, [](qmp::Client& client) -> awaitable<void> {
    CHECK(client.oob_enabled());
    auto events = client.subscribe({"SHUTDOWN"});
    std::vector<awaitable<json>> replies;
    for (int i = 0; i < 8; ++i) replies.push_back(client.execute("query-status"));
    const auto instances = co_await client.execute_oob("query-yank");
    CHECK(instances.is_array());
    for (auto& reply : replies) {
      const auto status = co_await std::move(reply);
      CHECK(status["running"] == false);
    }
    const auto typed = co_await client.call(qmp::query_status());
    CHECK_FALSE(typed.running);
    bool refused = false;
    try {
      co_await client.execute_oob("query-status");  // does not allow it
    } catch (const qmp::Refused&) {
      refused = true;
    }
    CHECK(refused);
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
  });
  CHECK(qemu.wait() == 0);
}

TEST_CASE("qemu client: descriptors of several commands in flight are not mixed up") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  run(qemu, [&](qmp::Client& client) -> awaitable<void> {
    std::vector<awaitable<json>> replies;
    for (int i = 0; i < 6; ++i) {
      const auto name = "file-" + std::to_string(i);
      const int fd = ::memfd_create(name.c_str(), MFD_CLOEXEC);
      const json arguments = {{"fdset-id", i}, {"opaque", name}};
      replies.push_back(client.execute_with_fds("add-fd", arguments, {fd}));
      replies.push_back(client.execute("query-fdsets"));
      ::close(fd);  // a copy of it is on its way
    }
    for (std::size_t i = 0; i < replies.size(); ++i) {
      const auto reply = co_await std::move(replies[i]);
      if (i % 2 != 0) continue;
      const auto link = std::filesystem::read_symlink("/proc/" + std::to_string(qemu.pid()) +
                                                      "/fd/" + reply.at("fd").dump());
      CHECK(link.string() == "/memfd:file-" + std::to_string(i / 2) + " (deleted)");
    }
  });
}

TEST_CASE("qemu client: jobs, several at once, and one cancelled from outside") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  run(qemu, [&](qmp::Client& client) -> awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    const auto create = [&](const char* id, const std::string& path) {
      const json file = {{"driver", "file"}, {"filename", path}, {"size", 65536}};
      return client.run_job("blockdev-create", {{"job-id", id}, {"options", file}}, {});
    };
    co_await (create("a", (qemu.folder() / "a").string()) &&
              create("b", (qemu.folder() / "b").string()));
    CHECK(std::filesystem::file_size(qemu.folder() / "b") == 65536);
    std::string reason;
    try {
      co_await create("c", "/nowhere/at/all");
    } catch (const qmp::JobFailed& failed) {
      reason = failed.reason();
    }
    CHECK(reason.find("No such file") != std::string::npos);

    for (const char* node : {"source", "target"}) {
      const json null = {
          {"driver", "null-co"}, {"node-name", node}, {"size", 1 << 24}, {"read-zeroes", true}};
      co_await client.execute("blockdev-add", null);
    }
    const json slow = {{"job-id", "d"},
                       {"device", "source"},
                       {"target", "target"},
                       {"sync", "full"},
                       {"speed", 65536}};
    asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
    const auto winner = co_await (client.run_job("blockdev-backup", slow, {}) ||
                                  timer.async_wait(asio::use_awaitable));
    CHECK(winner.index() == 1);
    const auto left = co_await client.execute("query-jobs");
    CHECK(left.empty());
  });
}
