// SPDX-License-Identifier: MIT
// Connecting, descriptors, the human monitor and typed commands, blocking.
#include "blocking.hpp"
#include "peer.hpp"
#include "qmp/message.hpp"
#include "qmp/requests.hpp"
#include "qmp/sync.hpp"
#include "scratch.hpp"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using qmp::SyncClient;
using test::hasty;
using test::Peer;
using test::plenty;
using test::Stage;
using test::thrown_by;
using namespace std::chrono_literals;

TEST_CASE("sync: connecting by path") {
  test::ScratchFolder folder;
  SUBCASE("nobody there") {
    const auto path = folder.path() / "absent";
    const auto gone = thrown_by<qmp::Gone>([&] { SyncClient client(path); });
    CHECK(std::string(gone.what()) ==
          "cannot connect to `" + path.string() + "`: No such file or directory");
  }
  SUBCASE("nobody listens any more") {
    const auto path = folder.path() / "stale";
    { const test::Listener listener(path); }
    const auto gone = thrown_by<qmp::Gone>([&] { SyncClient client(path); });
    CHECK(gone.cause() == "Connection refused");
  }
  SUBCASE("a server that does not accept") {
    const test::Listener listener(folder.path() / "s");
    CHECK_THROWS_AS(SyncClient(folder.path() / "s", hasty()), qmp::Busy);
  }
  SUBCASE("a full queue") {
    // A backlog of 0 holds one connection, also one whose client has given up; the next waits.
    const test::Listener listener(folder.path() / "s", 0);
    CHECK_THROWS_AS(SyncClient(folder.path() / "s", hasty()), qmp::Busy);
    const auto start = std::chrono::steady_clock::now();
    const auto busy = thrown_by<qmp::Busy>([&] { SyncClient(folder.path() / "s", hasty()); });
    CHECK(std::chrono::steady_clock::now() - start >= 50ms);
    CHECK(std::string(busy.what()).find("accepts no connection") != std::string::npos);
  }
  SUBCASE("a path longer than a socket address") {
    const auto deep = folder.path() / std::string(100, 'a') / std::string(100, 'b');
    std::filesystem::create_directories(deep);
    const test::Listener listener(deep / "qmp");
    Peer peer([&](Stage&) {
      const int fd = ::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      Stage stage(fd);
      stage.open();
      stage.answer(stage.hear(), "7");
      stage.wait_for_close();
      ::close(fd);
    });
    CHECK(SyncClient(deep / "qmp").execute("x") == 7);
  }
}

TEST_CASE("sync: an error without an id costs one command, not the connection") {
  const std::string complaint =
      R"({"error": {"class": "GenericError", "desc": "JSON parse error"}})";
  Peer peer([&](Stage& stage) {
    stage.open();
    stage.hear();
    stage.line(complaint);
    const auto second = stage.hear();
    stage.line(complaint);  // perhaps one more for the first
    stage.answer(second, "2");
    stage.hear();
    stage.line(R"({"event": "STOP"})");
    stage.hear();  // while the one before is not answered
    stage.line(complaint);
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  const auto refused = thrown_by<qmp::Refused>([&] { client.execute("x"); });
  CHECK(std::string(refused.what()) == "`x` was refused: JSON parse error");
  CHECK(client.execute("y") == 2);
  CHECK_THROWS_AS(client.execute("slow", nullptr, 20ms), qmp::Timeout);
  const auto late = thrown_by<qmp::Timeout>([&] { client.execute("z", nullptr, 500ms); });
  CHECK(std::string(late.what()) ==
        "`z` was not answered in time; the peer could not read something: JSON parse error");
}

TEST_CASE("sync: out of band") {
  Peer peer([](Stage& stage) {
    stage.say(test::greeting);
    const auto negotiation = stage.hear();
    CHECK(json::parse(negotiation)["arguments"].dump() == R"({"enable":["oob"]})");
    stage.answer(negotiation, "{}");
    stage.hear();
    const auto urgent = stage.hear();
    CHECK(urgent == R"({"exec-oob":"yank","arguments":{"instances":[]},"id":3})");
    stage.answer(urgent, "{}");
    stage.wait_for_close();
  });
  qmp::Options options;
  options.oob = true;
  auto client = SyncClient::adopt(peer.take(), options);
  CHECK(client.oob_enabled());
  CHECK_THROWS_AS(client.execute("stuck", nullptr, 1ms), qmp::Timeout);
  CHECK(client.execute_oob("yank", {{"instances", json::array()}}) == json::object());
}

TEST_CASE("sync: descriptors are passed with their command") {
  test::Bell first;
  test::Bell second;
  Peer peer([](Stage& stage) {
    stage.open();
    for (int count = 1; count <= 2; ++count) {
      const auto command = stage.hear();
      auto fds = stage.take_fds();
      CHECK(fds.size() == static_cast<std::size_t>(count));
      for (const int fd : fds) {
        CHECK((::fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY);  // the read end of a bell
        ::close(fd);
      }
      stage.answer(command, "{}");
    }
    stage.answer(stage.hear(), "{}");
    CHECK(stage.take_fds().empty());
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  client.execute_with_fds("getfd", {{"fdname", "a"}}, {first.fd()});
  client.execute_with_fds("add-fd", nullptr, {first.fd(), second.fd()});
  client.execute("stop");
  CHECK(::fcntl(first.fd(), F_GETFD) >= 0);  // still ours
}

TEST_CASE("sync: accepting a connection") {
  test::ScratchFolder folder;
  const test::Listener listener(folder.path() / "s");
  SUBCASE("that comes") {
    Peer peer([&](Stage&) {
      const int fd = test::connect(folder.path() / "s");
      Stage stage(fd);
      stage.open();
      stage.answer(stage.hear(), "7");
      stage.wait_for_close();
      ::close(fd);
    });
    CHECK(SyncClient::accept(listener.fd()).execute("x") == 7);
  }
  SUBCASE("that does not") {
    const auto late = thrown_by<qmp::Timeout>([&] { SyncClient::accept(listener.fd(), hasty()); });
    CHECK(std::string(late.what()) == "nobody connected in time");
  }
  SUBCASE("of a process that has ended") {
    test::Bell bell;
    bell.ring();
    const auto gone = thrown_by<qmp::Gone>([&] {
      SyncClient::accept(listener.fd(), {}, {{bell.fd(), "the process exited"}});
    });
    CHECK(gone.cause() == "the process exited");
  }
}

TEST_CASE("sync: the human monitor's text is the error it may be") {
  Peer peer([](Stage& stage) {
    stage.open();
    for (const char* text :
         {R"("")", R"("\r\n")", R"("Error: no such thing\r\n")", R"("unknown command: 'x'\r\n")",
          R"("VM running\r\n")", R"("bad rule\r\n")", "7"}) {
      stage.answer(stage.hear(), text);
    }
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  using qmp::HumanReply;
  CHECK(client.human_monitor("stop").empty());
  CHECK(client.human_monitor("stop", HumanReply::silence) == "\r\n");
  const auto marked = thrown_by<qmp::Refused>([&] { client.human_monitor("savevm x"); });
  CHECK(marked.error_class() == "HumanMonitor");
  CHECK(std::string(marked.what()) == "`savevm x` was refused: Error: no such thing");
  CHECK_THROWS_AS(client.human_monitor("x"), qmp::Refused);
  CHECK(client.human_monitor("info status") == "VM running\r\n");
  const auto loud =
      thrown_by<qmp::Refused>([&] { client.human_monitor("hostfwd_add", HumanReply::silence); });
  CHECK(loud.desc() == "bad rule");
  CHECK_THROWS_AS(client.human_monitor("info status"), qmp::Malformed);
}

TEST_CASE("sync: events by predicate") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.line(R"({"event": "E", "data": {"n": 1}})");
    stage.line(R"({"event": "E", "data": {"n": 2}})");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  const auto second =
      client.wait_event_if([](const qmp::Event& event) { return event.data["n"] == 2; }, plenty);
  CHECK(second.has_value());
  const auto first = client.wait_event({}, plenty);
  REQUIRE(first);
  CHECK(first->data["n"] == 1);
}

TEST_CASE("sync: typed commands") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.answer(stage.hear(), R"({"running": true, "status": "running"})");
    stage.answer(stage.hear(), R"({"running": "yes"})");
    const auto list = stage.hear();
    CHECK(json::parse(list)["arguments"].dump() == R"({"abstract":false,"implements":"netdev"})");
    stage.answer(list, R"([{"name": "user"}, {"name": "tap"}])");
    stage.answer(stage.hear(),
                 R"([{"node-name": "#block1", "image": {}}, {"node-name": "root", "drv": "qcow2",)"
                 R"( "file": "r.qcow2", "ro": false, "image": {"virtual-size": 1048576,)"
                 R"( "snapshots": [{"name": "before"}]}}])");
    stage.answer(stage.hear(), "{}");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  const auto status = client.call(qmp::query_status());
  CHECK(status.running);
  CHECK(status.status == "running");
  CHECK_THROWS_AS(client.call(qmp::query_status()), qmp::Malformed);
  CHECK(client.call(qmp::qom_list_types("netdev")) == std::vector<std::string>{"user", "tap"});
  const auto nodes = client.call(qmp::query_named_block_nodes());
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].name == "root");
  CHECK(nodes[0].size == 1048576);
  CHECK(nodes[0].snapshots == std::vector<std::string>{"before"});
  client.call(qmp::system_powerdown());
}
