// SPDX-License-Identifier: MIT
#include "qmp/agent_client.hpp"

#include "agent_sync.hpp"
#include "coroutine.hpp"
#include "scratch.hpp"

#include <optional>
#include <string>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

namespace asio = boost::asio;
using nlohmann::json;
using qmp::AgentClient;
using test::answer_sync;
using test::awaitable;
using test::failure_of;
using test::Peer;
using test::run;
using test::Stage;
using namespace std::chrono_literals;

namespace {

awaitable<AgentClient> talk_to(Peer& peer, qmp::AgentOptions options = {}) {
  AgentClient::Socket socket(co_await asio::this_coro::executor);
  socket.assign(asio::local::stream_protocol(), peer.take());
  co_return AgentClient::adopt(std::move(socket), options);
}

}  // namespace

TEST_CASE("agent client: calls wait for their turn, whatever the one before comes to") {
  Peer peer([](Stage& stage) {
    answer_sync(stage);
    CHECK(stage.hear() == R"({"execute":"one"})");
    stage.say("{\"return\": 1}\n");
    CHECK(stage.hear() == R"({"execute":"two"})");
    stage.say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n");
    CHECK(stage.hear() == R"({"execute":"slow"})");
    answer_sync(stage);
    CHECK(stage.hear() == R"({"execute":"last"})");
    stage.say("{\"return\": 4}\n");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<> {
    using namespace asio::experimental::awaitable_operators;
    auto agent = co_await talk_to(peer);
    const auto results = co_await (agent.execute("one") && failure_of(agent.execute("two")));
    CHECK(std::get<0>(results) == 1);
    CHECK(std::get<1>(results) == "refused: GenericError");
    const auto late =
        co_await (failure_of(agent.execute("slow", nullptr, 300ms)) && agent.execute("last"));
    CHECK(std::get<0>(late) == "timeout: the guest agent did not answer `slow` in time");
    CHECK(std::get<1>(late) == 4);
  });
}

TEST_CASE("agent client: waiting that is cancelled, for an answer or for a turn") {
  Peer peer([](Stage& stage) {
    answer_sync(stage);
    CHECK(stage.hear() == R"({"execute":"held"})");
    answer_sync(stage);
    CHECK(stage.hear() == R"({"execute":"last"})");
    stage.say("{\"return\": 7}\n");
    stage.wait_for_close();
  });
  run([&]() -> awaitable<> {
    using namespace asio::experimental::awaitable_operators;
    auto agent = co_await talk_to(peer);
    asio::steady_timer timer(co_await asio::this_coro::executor, 50ms);
    const auto winner = co_await ((agent.execute("held") && agent.execute("never sent")) ||
                                  timer.async_wait(asio::use_awaitable));
    CHECK(winner.index() == 1);
    const auto last = co_await agent.execute("last");
    CHECK(last == 7);
  });
}

TEST_CASE("agent client: programs and files") {
  Peer peer([](Stage& stage) {
    const auto obey = [&](std::string_view name, const std::string& value) {
      const auto command = stage.hear();
      CHECK(json::parse(command)["execute"] == name);
      stage.say("{\"return\": " + value + "}\n");
    };
    answer_sync(stage);
    obey("guest-exec", R"({"pid": 9})");
    obey("guest-exec-status", R"({"exited": false})");
    obey("guest-exec-status", R"({"exited": true, "exitcode": 3, "out-data": "aGVsbG8="})");
    obey("guest-file-open", "1000");
    obey("guest-file-read", R"({"count": 3, "buf-b64": "YWJj", "eof": true})");
    obey("guest-file-close", "{}");
    obey("guest-file-open", "1001");
    obey("guest-file-write", R"({"count": 9, "eof": false})");  // more than there was
    obey("guest-file-close", "{}");
    obey("guest-get-osinfo", R"({"id": "debian"})");
    obey("guest-ping", "{}");
    CHECK(stage.hear() == R"({"execute":"guest-shutdown","arguments":{"mode":"reboot"}})");
  });
  run([&]() -> awaitable<> {
    auto agent = co_await talk_to(peer);
    const qmp::ExecRequest request{"/bin/x"};
    const auto result = co_await agent.exec(request, 20s);
    CHECK(result.code == 3);
    CHECK(result.out == "hello");
    std::string content;
    co_await agent.read_file(
        "/x", [&](std::string_view piece) { content += piece; }, 20s);
    CHECK(content == "abc");
    const auto source = [](std::size_t) { return std::string("abc"); };
    const auto failure = co_await failure_of(agent.write_file("/y", source, 20s));
    CHECK(failure.starts_with("malformed: "));
    const auto os = co_await agent.call(qmp::guest_os_info());
    CHECK(os.id == "debian");
    co_await agent.shutdown(qmp::GuestShutdown::reboot);  // and the guest is gone
    const auto gone = co_await failure_of(agent.ping());
    CHECK(gone.starts_with("gone: "));
  });
}

TEST_CASE("agent client: nobody there, nobody any more, and a client that is dropped") {
  Peer peer([](Stage& stage) { stage.wait_for_close(); });
  test::ScratchFolder folder;
  run([&]() -> awaitable<> {
    using namespace asio::experimental::awaitable_operators;
    const auto absent = co_await failure_of(AgentClient::connect(folder.path() / "absent"));
    CHECK(absent == "gone: No such file or directory");
    std::optional<AgentClient> agent(co_await talk_to(peer));
    const auto silent = co_await failure_of(agent->ping(qmp::Deadline(20ms)));
    CHECK(silent.starts_with("timeout: the guest agent does not answer"));
    const auto drop = [&]() -> awaitable<> {
      agent.reset();
      co_return;
    };
    const auto closed = co_await (failure_of(agent->ping()) && drop());
    CHECK(closed == "gone: this side closed the connection");
  });
}
