// SPDX-License-Identifier: MIT
// Connecting, descriptors, jobs, and what a call costs, with coroutines.
#include "coroutine.hpp"
#include "counting.hpp"
#include "peer.hpp"
#include "qmp/job.hpp"
#include "scratch.hpp"

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

namespace asio = boost::asio;
using nlohmann::json;
using qmp::Client;
using test::adopt;
using test::awaitable;
using test::failure_of;
using test::Peer;
using test::run;
using test::Stage;
using namespace std::chrono_literals;

TEST_CASE("client: connecting by path") {
  test::ScratchFolder folder;
  qmp::Options hasty;
  hasty.greeting = 50ms;
  const test::Listener listener(folder.path() / "s", 0);
  run([&]() -> awaitable<void> {
    const auto absent = co_await failure_of(Client::connect(folder.path() / "absent"));
    CHECK(absent == "gone: No such file or directory");
    const auto silent = co_await failure_of(Client::connect(folder.path() / "s", hasty));
    CHECK(silent.starts_with("busy: no QMP greeting came in time"));
    // That connection still sits in the queue, which holds one: there is no room for another.
    const auto start = std::chrono::steady_clock::now();
    const auto full = co_await failure_of(Client::connect(folder.path() / "s", hasty));
    CHECK(full.find("accepts no connection") != std::string::npos);
    CHECK(std::chrono::steady_clock::now() - start >= 50ms);
  });
}

TEST_CASE("client: a full queue is waited for, and connections are accepted") {
  test::ScratchFolder folder;
  const test::Listener listener(folder.path() / "s", 0);
  const int other = test::connect(folder.path() / "s");  // takes the only place
  test::Bell tried;
  Peer peer([&](Stage&) {
    char nothing = 0;
    CHECK(::read(tried.fd(), &nothing, 1) == 0);
    for (int i = 0; i < 2; ++i) {
      const int fd = ::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      Stage stage(fd);
      if (i == 1) {
        stage.open();
        stage.answer(stage.hear(), "7");
      }
      stage.wait_for_close();
      ::close(fd);
    }
    // And the other way round: the peer connects.
    const int fd = test::connect(folder.path() / "s");
    Stage stage(fd);
    stage.open();
    stage.answer(stage.hear(), "8");
    stage.wait_for_close();
    ::close(fd);
  });
  run([&]() -> awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    const auto ring = [&]() -> awaitable<void> {
      tried.ring();
      ::close(other);
      co_return;
    };
    {
      auto client = co_await (Client::connect(folder.path() / "s") && ring());
      const auto seven = co_await client.execute("x");
      CHECK(seven == 7);
    }
    {
      auto client = co_await Client::accept(listener.fd());
      const auto eight = co_await client.execute("x");
      CHECK(eight == 8);
    }
    qmp::Options hasty;
    hasty.greeting = 30ms;
    const auto nobody = co_await failure_of(Client::accept(listener.fd(), hasty));
    CHECK(nobody == "timeout: nobody connected in time");
  });
}

TEST_CASE("client: out of band, descriptors, and an error without an id") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto slow = stage.hear();
    const auto slower = stage.hear();
    const auto urgent = stage.hear();
    CHECK(urgent.starts_with(R"({"exec-oob":"yank")"));
    stage.answer(urgent, "1");
    stage.line(R"({"error": {"class": "GenericError", "desc": "what?"}})");
    stage.answer(slow, "2");
    stage.answer(slower, "{}");
    const auto first = stage.hear();
    const auto fds = stage.take_fds();
    CHECK(fds.size() == 1);
    for (const int fd : fds) ::close(fd);
    stage.answer(first, "3");  // the second is sent only now
    const auto second = stage.hear();
    const auto more = stage.take_fds();
    CHECK(more.size() == 1);
    for (const int fd : more) ::close(fd);
    stage.answer(second, "4");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    qmp::Options options;
    options.oob = true;
    auto client = co_await adopt(peer.take(), options);
    auto slow = client.execute("slow");
    auto slower = client.execute("slower");
    const auto urgent = co_await client.execute_oob("yank");
    CHECK(urgent == 1);
    const auto answered = co_await std::move(slow);
    CHECK(answered == 2);
    co_await std::move(slower);
    auto bell = std::make_unique<test::Bell>();
    auto first = client.execute_with_fds("getfd", {}, {bell->fd()});
    auto second = client.execute_with_fds("getfd", {}, {bell->fd()});
    bell.reset();  // theirs are duplicates
    const auto three = co_await std::move(first);
    const auto four = co_await std::move(second);
    CHECK(three == 3);
    CHECK(four == 4);
  });
}

TEST_CASE("client: a job that is cancelled with its waiting is seen to its end") {
  bool started = false;
  SUBCASE("before its start is answered") {}
  SUBCASE("while it runs") {
    started = true;
  }
  Peer peer([&](Stage& stage) {
    const auto obey = [&](std::string_view name, const char* value) {
      const auto command = stage.hear();
      CHECK(json::parse(command)["execute"] == name);
      stage.answer(command, value);
    };
    stage.open();
    const auto start = stage.hear();
    if (started) {
      stage.answer(start, "{}");
      obey("query-jobs", R"([{"id": "j", "status": "running"}])");
    }
    obey("job-cancel", "{}");
    if (!started) stage.answer(start, "{}");
    obey("query-jobs", R"([{"id": "j", "status": "aborting"}])");
    stage.line(R"({"event": "JOB_STATUS_CHANGE", "data": {"id": "j", "status": "concluded"}})");
    obey("query-jobs", R"([{"id": "j", "status": "concluded", "error": "Operation canceled"}])");
    obey("job-dismiss", "{}");
    obey("last", "7");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    auto client = co_await adopt(peer.take());
    asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
    const json arguments = {{"job-id", "j"}};
    const auto winner =
        co_await (client.run_job("x", arguments, {}) || timer.async_wait(asio::use_awaitable));
    CHECK(winner.index() == 1);
    const auto last = co_await client.execute("last");
    CHECK(last == 7);
  });
}

TEST_CASE("client: a connection accepted late is greeted all the same") {
  test::ScratchFolder folder;
  const test::Listener listener(folder.path() / "s");
  test::Bell connected;
  Peer peer([&](Stage&) {
    char nothing = 0;
    CHECK(::read(connected.fd(), &nothing, 1) == 0);  // returns once the bell rings
    const int fd = ::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    Stage stage(fd);
    stage.open();
    stage.answer(stage.hear(), "7");
    stage.wait_for_close();
    ::close(fd);
  });
  run([&]() -> awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    const auto ring = [&]() -> awaitable<void> {
      connected.ring();
      co_return;
    };
    auto client = co_await (Client::connect(folder.path() / "s") && ring());
    const auto seven = co_await client.execute("x");
    CHECK(seven == 7);
  });
}

TEST_CASE("client: long replies and long commands, both ways at once") {
  const std::string reply_text(200000, 'r');
  const std::string command_text(4000000, 'c');
  Peer peer([&](Stage& stage) {
    stage.open();
    stage.answer(stage.hear(), json(reply_text).dump());
    const auto command = json::parse(stage.hear_bytes(command_text.size()));
    stage.answer(json{{"id", command["id"]}}.dump(), json(reply_text).dump());
    stage.answer(stage.hear(), "3");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    const auto first = co_await client.execute("one");
    CHECK(first == reply_text);
    const json arguments = {{"text", command_text}};
    auto second = client.execute("two", arguments);
    auto third = client.execute("three");  // queued behind what the socket has no room for
    const auto second_value = co_await std::move(second);
    const auto third_value = co_await std::move(third);
    CHECK(second_value == reply_text);
    CHECK(third_value == 3);
  });
}

TEST_CASE("client: neither what is kept nor what a call costs grows with the calls") {
  Peer peer([](Stage& stage) {
    stage.open();
    for (auto command = stage.hear(); !command.empty(); command = stage.hear()) {
      stage.line(R"({"event": "STOP", "data": {"n": 1}})");
      // One that timed out is answered late.
      if (command.find("slow") == std::string::npos) stage.answer(command, "{}");
    }
  });
  run([&]() -> awaitable<void> {
    qmp::Options options;
    options.event_capacity = 16;
    auto client = co_await adopt(peer.take(), options);
    auto events = client.subscribe({});
    std::vector<test::Allocations> marks;
    for (int i = 0; i < 999; ++i) co_await client.execute("x");  // ids of one length from here on
    for (int round = 0; round < 4; ++round) {
      for (int i = 0; i < 300; ++i) {
        auto first = client.execute("query-status");
        auto second = client.execute("query-name");
        co_await std::move(second);
        co_await std::move(first);
        if (i % 50 == 0) co_await failure_of(client.execute("slow", nullptr, 1ms));
        const auto passing = client.subscribe({"STOP"});
      }
      marks.push_back(test::allocations());
    }
    // Asio keeps freed frames for the next ones, a few bytes more or less; one object for each call
    // would be 600.
    CHECK(marks[3].alive - marks[2].alive < 10);
    CHECK(marks[3].alive_size - marks[2].alive_size < 1000);
    CHECK((marks[3].made - marks[2].made) - (marks[2].made - marks[1].made) < 100);
    CHECK(events.lost() > 1000);
  });
}
