// SPDX-License-Identifier: MIT
#include "coroutine.hpp"
#include "peer.hpp"
#include "scratch.hpp"

#include <functional>
#include <string>

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
using test::plenty;
using test::run;
using test::Stage;
using namespace std::chrono_literals;

TEST_CASE("client: greeting, reply, refusal, human monitor") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.answer(stage.hear(), R"({"status": "running"})");
    stage.refuse(stage.hear(), "CommandNotFound", "no");
    stage.answer(stage.hear(), R"("some text\r\n")");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    CHECK(client.greeting().version["qemu"]["major"] == 7);
    CHECK((::fcntl(client.fd(), F_GETFD) & FD_CLOEXEC) != 0);
    const auto status = co_await client.execute("query-status");
    CHECK(status == json{{"status", "running"}});
    const auto failure = co_await failure_of(client.execute("nonsense"));
    CHECK(failure == "refused: CommandNotFound");
    const auto text = co_await client.human_monitor("info version");
    CHECK(text == "some text\r\n");
    CHECK(client.is_open());
    client.close();
    CHECK_FALSE(client.is_open());
    const auto after = co_await failure_of(client.execute("query-status"));
    CHECK(after == "gone: this side closed the connection");
  });
}

TEST_CASE("client: several commands in flight, answered in another order") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto one = stage.hear();
    const auto two = stage.hear();
    const auto three = stage.hear();
    stage.answer(three, "3");
    stage.line(R"({"event": "BETWEEN"})");
    stage.refuse(one, "GenericError", "no");
    stage.answer(two, "2");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    auto one = client.execute("one");
    auto two = client.execute("two");
    auto three = client.execute("three");
    const auto first = co_await failure_of(std::move(one));
    const auto second = co_await std::move(two);
    const auto third = co_await std::move(three);
    CHECK(first == "refused: GenericError");
    CHECK(second == 2);
    CHECK(third == 3);
  });
}

TEST_CASE("client: a subscription hears what came before the reply") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    stage.line(R"({"event": "OTHER"})");
    stage.line(R"({"event": "STOP", "data": {"n": 1}})");
    stage.answer(command, "{}");
    stage.hear();
    stage.line(R"({"event": "STOP", "data": {"n": 2}})");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    auto stops = client.subscribe({"STOP"});
    auto all = client.subscribe({});
    co_await client.execute("stop");
    auto late = client.subscribe({});
    auto event = co_await stops.next_event(plenty);
    REQUIRE(event);
    CHECK(event->data["n"] == 1);
    CHECK_FALSE(stops.poll_event());
    event = all.poll_event();
    REQUIRE(event);
    CHECK(event->name == "OTHER");
    event = co_await stops.next_event(10ms);
    CHECK_FALSE(event);
    auto unanswered = client.execute("again");
    event = co_await stops.next_event(plenty);
    REQUIRE(event);
    CHECK(event->data["n"] == 2);
    event = late.poll_event();
    REQUIRE(event);
    CHECK(event->data["n"] == 2);
  });
}

TEST_CASE("client: a burst of events does not hold up replies, and is counted") {
  constexpr int burst = 100000;
  Peer peer([](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    for (int i = 0; i < burst; ++i) {
      stage.line(R"({"event": "BURST", "data": {"n": )" + std::to_string(i) + "}}");
    }
    stage.answer(command, "{}");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    auto bounded = client.subscribe_if([](const qmp::Event&) { return true; }, 1000);
    auto other = client.subscribe({"OTHER"});
    co_await client.execute("x");
    CHECK(bounded.overflowed());
    CHECK(bounded.lost() == burst - 1000);
    const auto event = bounded.poll_event();
    REQUIRE(event);
    CHECK(event->data["n"] == burst - 1000);
    CHECK_FALSE(other.overflowed());
  });
}

TEST_CASE("client: the end reaches everybody who waits") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.hear();
    stage.hear();
    stage.line(R"({"event": "LAST"})");
    stage.say(R"({"return": {"half)");
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    auto events = client.subscribe({});
    auto one = client.execute("one");
    auto two = client.execute("two");
    const std::string gone = "gone: the peer closed the connection in the middle of a message";
    const auto first = co_await failure_of(std::move(one));
    const auto second = co_await failure_of(std::move(two));
    CHECK(first == gone);
    CHECK(second == gone);
    const auto last = co_await events.next_event(plenty);
    REQUIRE(last);
    CHECK(last->name == "LAST");
    const auto over = co_await failure_of(events.next_event(plenty));
    CHECK(over == gone);
    const auto later = co_await failure_of(client.execute("three"));
    CHECK(later == gone);
    auto late = client.subscribe({});
    const auto nothing = co_await failure_of(late.next_event(plenty));
    CHECK(nothing == gone);
    CHECK(client.fd() == -1);
  });
}

TEST_CASE("client: the end before it is ready") {
  std::function<void(Stage&)> script;
  std::string expected;
  SUBCASE("no greeting") {
    script = [](Stage&) {};
    expected = "gone: the peer closed the connection before its greeting";
  }
  SUBCASE("no negotiation") {
    script = [](Stage& stage) {
      stage.say(test::greeting);
      stage.hear();
    };
    expected = "gone: the peer closed the connection during the capability negotiation";
  }
  SUBCASE("garbage") {
    script = [](Stage& stage) {
      stage.line("RFB 003.008");
      stage.wait_for_close();
    };
    expected = "malformed: the peer sent what is not JSON: `RFB 003.008?`";
  }
  Peer peer(script);
  run([&]() -> awaitable<void> {
    const auto failure = co_await failure_of(adopt(peer.take()));
    CHECK(failure == expected);
  });
}

TEST_CASE("client: a late reply is dropped, and waiting can be cancelled") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto slow = stage.hear();
    const auto cancelled = stage.hear();
    const auto quick = stage.hear();
    stage.answer(slow, "1");
    stage.answer(cancelled, "2");
    stage.answer(quick, "3");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    using namespace asio::experimental::awaitable_operators;
    auto client = co_await adopt(peer.take());
    const auto late = co_await failure_of(client.execute("slow", nullptr, 10ms));
    CHECK(late == "timeout: `slow` was not answered in time");
    asio::steady_timer timer(co_await asio::this_coro::executor, 10ms);
    const auto winner =
        co_await (client.execute("cancelled") || timer.async_wait(asio::use_awaitable));
    CHECK(winner.index() == 1);
    auto events = client.subscribe({});
    timer.expires_after(10ms);
    const auto other = co_await (events.next_event() || timer.async_wait(asio::use_awaitable));
    CHECK(other.index() == 1);
    const auto quick = co_await client.execute("quick");
    CHECK(quick == 3);
  });
}

TEST_CASE("client: a command is on its way before it is awaited, with its arguments") {
  test::Bell heard;
  Peer peer([&](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    heard.ring();
    stage.answer(command, json::parse(command)["arguments"].dump());
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    auto reply = client.execute("x", {{"id", "cd0"}, {"list", {1, 2, "three"}}});
    char nothing = 0;
    CHECK(::read(heard.fd(), &nothing, 1) == 0);  // blocks this thread until it was heard
    const auto echo = co_await std::move(reply);
    CHECK(echo.dump() == R"({"id":"cd0","list":[1,2,"three"]})");
  });
}

TEST_CASE("client: quit") {
  bool reply = false;
  SUBCASE("with a reply") {
    reply = true;
  }
  SUBCASE("with the end instead of a reply") {}
  Peer peer([reply](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    stage.line(R"({"event": "SHUTDOWN"})");
    if (reply) stage.answer(command, "{}");
  });
  run([&]() -> awaitable<void> {
    auto client = co_await adopt(peer.take());
    auto events = client.subscribe({"SHUTDOWN"});
    co_await client.quit();
    const auto event = co_await events.next_event(plenty);
    CHECK(event.has_value());
    const auto over = co_await failure_of(events.next_event(plenty));
    CHECK(over == "gone: the peer closed the connection");
  });
}

TEST_CASE("client: a dropped client tells who still waits") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.wait_for_close();
  });
  run([&]() -> awaitable<void> {
    std::optional<Client> client(co_await adopt(peer.take()));
    auto events = client->subscribe({});
    auto reply = client->execute("x");
    client.reset();
    const auto call = co_await failure_of(std::move(reply));
    CHECK(call == "gone: this side closed the connection");
    const auto event = co_await failure_of(events.next_event(plenty));
    CHECK(event == "gone: this side closed the connection");
  });
}
