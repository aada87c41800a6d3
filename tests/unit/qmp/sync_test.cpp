// SPDX-License-Identifier: MIT
#include "qmp/sync.hpp"

#include "peer.hpp"
#include "qmp/message.hpp"
#include "qmp/requests.hpp"
#include "scratch.hpp"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using qmp::SyncClient;
using test::Peer;
using test::Stage;
using namespace std::chrono_literals;

namespace {

// Long enough that only a hang reaches it.
constexpr auto plenty = 20s;

qmp::Options hasty() {
  qmp::Options options;
  options.greeting = 50ms;
  return options;
}

template <class Failure>
Failure failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("nothing was thrown");
}

}  // namespace

TEST_CASE("sync: greeting, reply, refusal") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.answer(stage.hear(), R"({"status": "running"})");
    stage.refuse(stage.hear(), "CommandNotFound", "the command was not found");
    stage.answer(stage.hear(), R"("text\r\n")");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(client.greeting().version["qemu"]["major"] == 7);
  CHECK(client.execute("query-status") == json{{"status", "running"}});
  const auto refused = failure_of<qmp::Refused>([&] {
    client.execute("query-nothing", {{"a", 1}});
  });
  CHECK(refused.error_class() == "CommandNotFound");
  CHECK(refused.desc() == "the command was not found");
  CHECK(refused.sent() == R"({"execute":"query-nothing","arguments":{"a":1},"id":3})");
  CHECK(std::string(refused.what()) == "`query-nothing` was refused: the command was not found");
  CHECK(client.human_monitor("info version") == "text\r\n");
  CHECK((::fcntl(client.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("sync: a silent peer is a busy one") {
  Peer peer([](Stage& stage) { stage.wait_for_close(); });
  const auto start = std::chrono::steady_clock::now();
  const auto busy = failure_of<qmp::Busy>([&] { SyncClient::adopt(peer.take(), hasty()); });
  CHECK(std::chrono::steady_clock::now() - start >= 50ms);
  CHECK(std::string(busy.what()) ==
        "no QMP greeting came in time: a QMP socket serves one client at a time, and another "
        "program may be holding it");
}

TEST_CASE("sync: a peer that greets and then is silent times out as such") {
  test::Bell greeted;
  Peer peer([&](Stage& stage) {
    stage.say(test::greeting);
    greeted.ring();
    stage.wait_for_close();
  });
  char nothing = 0;
  REQUIRE(::read(greeted.fd(), &nothing, 1) == 0);  // returns once the bell rings
  const auto late = failure_of<qmp::Timeout>([&] { SyncClient::adopt(peer.take(), hasty()); });
  CHECK(std::string(late.what()) == "the capability negotiation was not answered in time");
}

TEST_CASE("sync: connecting by path") {
  test::ScratchFolder folder;
  SUBCASE("nobody there") {
    const auto path = folder.path() / "absent";
    const auto gone = failure_of<qmp::Gone>([&] { SyncClient client(path); });
    CHECK(std::string(gone.what()) ==
          "cannot connect to `" + path.string() + "`: No such file or directory");
  }
  SUBCASE("nobody listens any more") {
    const auto path = folder.path() / "stale";
    { const test::Listener listener(path); }
    const auto gone = failure_of<qmp::Gone>([&] { SyncClient client(path); });
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
    const auto busy = failure_of<qmp::Busy>([&] { SyncClient(folder.path() / "s", hasty()); });
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

TEST_CASE("sync: the end of the peer, at each point") {
  std::function<void(Stage&)> script;
  std::string cause;
  SUBCASE("before the greeting") {
    script = [](Stage&) {};
    cause = "the peer closed the connection before its greeting";
  }
  SUBCASE("during the negotiation") {
    script = [](Stage& stage) {
      stage.say(test::greeting);
      stage.hear();
    };
    cause = "the peer closed the connection during the capability negotiation";
  }
  SUBCASE("instead of a reply") {
    script = [](Stage& stage) {
      stage.open();
      stage.hear();
    };
    cause = "the peer closed the connection";
  }
  SUBCASE("in the middle of a reply") {
    script = [](Stage& stage) {
      stage.open();
      stage.hear();
      stage.say(R"({"return": {"half)");
    };
    cause = "the peer closed the connection in the middle of a message";
  }
  Peer peer(script);
  const auto gone =
      failure_of<qmp::Gone>([&] { SyncClient::adopt(peer.take()).execute("query-status"); });
  CHECK(gone.cause() == cause);
}

TEST_CASE("sync: the end is final") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.hear();
    stage.line(R"({"event": "SHUTDOWN"})");
  });
  auto client = SyncClient::adopt(peer.take());
  client.quit();
  const auto gone = failure_of<qmp::Gone>([&] { client.execute("query-status"); });
  CHECK(std::string(gone.what()) ==
        "the connection ended before `query-status` was answered: the peer closed the connection");
  const auto event = client.wait_event({"SHUTDOWN"}, plenty);
  REQUIRE(event);
  CHECK_THROWS_AS(client.wait_event({}, plenty), qmp::Gone);
}

TEST_CASE("sync: a watch that fires ends the waiting with its cause") {
  test::Bell bell;
  SUBCASE("before the greeting") {
    Peer peer([&](Stage& stage) {
      bell.ring();
      stage.wait_for_close();
    });
    const auto gone = failure_of<qmp::Gone>([&] {
      SyncClient::adopt(peer.take(), {}, {{bell.fd(), "the process exited"}});
    });
    CHECK(gone.cause() == "the process exited");
  }
  SUBCASE("during a command, after the last words") {
    Peer peer([&](Stage& stage) {
      stage.open();
      stage.answer(stage.hear(), "1");
      stage.hear();
      stage.line(R"({"event": "SHUTDOWN"})");
      bell.ring();
      stage.wait_for_close();
    });
    auto client = SyncClient::adopt(peer.take(), {}, {{bell.fd(), "the process exited"}});
    CHECK(client.execute("one") == 1);
    const auto gone = failure_of<qmp::Gone>([&] { client.execute("two"); });
    CHECK(gone.cause() == "the process exited");
    CHECK(client.wait_event({"SHUTDOWN"}, plenty).has_value());
  }
}

TEST_CASE("sync: the reply to a command that timed out is not taken for another's") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto slow = stage.hear();
    const auto quick = stage.hear();
    stage.answer(slow, "\"slow\"");
    stage.answer(quick, "\"quick\"");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  const auto late = failure_of<qmp::Timeout>([&] { client.execute("slow", nullptr, 20ms); });
  CHECK(std::string(late.what()) == "`slow` was not answered in time");
  CHECK(client.execute("quick") == "quick");
}

TEST_CASE("sync: a peer that never stops talking cannot hold up a deadline") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.hear();
    std::string chunk;
    for (int i = 0; i < 100; ++i) chunk += "{\"event\": \"NOISE\"}\r\n";
    // About 2 GB: far longer than the test, which ends it by closing.
    for (int i = 0; i < 1000000 && stage.say(chunk); ++i) {
    }
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK_THROWS_AS(client.execute("x", nullptr, 30ms), qmp::Timeout);
  CHECK_FALSE(client.wait_event({"OTHER"}, 30ms));
}

TEST_CASE("sync: events are kept until they are asked for, by name and in order") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    stage.line(R"({"event": "STOP", "data": {"n": 1}})");
    stage.line(R"({"event": "RESUME", "data": {"n": 2}})");
    stage.answer(command, "{}");
    stage.line(R"({"event": "STOP", "data": {"n": 3}})");
    stage.answer(stage.hear(), "{}");
    stage.line(R"({"event": "LAST"})");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  client.execute("a");
  auto event = client.wait_event({"RESUME", "OTHER"}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 2);
  event = client.wait_event({}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 1);
  event = client.wait_event({"STOP"}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 3);
  CHECK_FALSE(client.wait_event({}, 10ms));
  client.execute("b");
  CHECK(client.wait_event({"LAST"}, plenty).has_value());
  CHECK(client.lost_events() == 0);
}

TEST_CASE("sync: discarded events are not found any more") {
  Peer peer([](Stage& stage) {
    stage.open();
    const auto command = stage.hear();
    stage.line(R"({"event": "STOP", "data": {"n": 1}})");
    stage.answer(command, "{}");
    const auto next = stage.hear();
    stage.line(R"({"event": "STOP", "data": {"n": 2}})");
    stage.answer(next, "{}");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  client.execute("a");
  client.discard_events();
  client.execute("b");
  const auto event = client.wait_event({"STOP"}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == 2);
}

TEST_CASE("sync: a burst of events loses the oldest, counts them, and not the reply") {
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
  qmp::Options options;
  options.event_capacity = 1000;
  auto client = SyncClient::adopt(peer.take(), options);
  client.execute("x");
  CHECK(client.lost_events() == burst - 1000);
  const auto event = client.wait_event({}, plenty);
  REQUIRE(event);
  CHECK(event->data["n"] == burst - 1000);
}

TEST_CASE("sync: a long reply and a long command") {
  const std::string reply_text(200000, 'r');
  const std::string command_text(4000000, 'c');
  Peer peer([&](Stage& stage) {
    stage.open();
    stage.answer(stage.hear(), json(reply_text).dump());
    const auto command = json::parse(stage.hear_bytes(command_text.size()));
    stage.answer(json{{"id", command["id"]}}.dump(),
                 std::to_string(command["arguments"]["text"].get<std::string>().size()));
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(client.execute("query-qmp-schema") == reply_text);
  CHECK(client.execute("x", {{"text", command_text}}) == command_text.size());
}

TEST_CASE("sync: garbage ends the conversation as malformed") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.hear();
    stage.line("what?");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  const auto malformed = failure_of<qmp::Malformed>([&] { client.execute("x"); });
  // The carriage return is the second one.
  CHECK(std::string(malformed.what()) == "the peer sent what is not JSON: `what??`");
  CHECK_THROWS_AS(client.execute("y"), qmp::Malformed);
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
  const auto refused = failure_of<qmp::Refused>([&] { client.execute("x"); });
  CHECK(std::string(refused.what()) == "`x` was refused: JSON parse error");
  CHECK(client.execute("y") == 2);
  CHECK_THROWS_AS(client.execute("slow", nullptr, 20ms), qmp::Timeout);
  const auto late = failure_of<qmp::Timeout>([&] { client.execute("z", nullptr, 500ms); });
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
    const auto late = failure_of<qmp::Timeout>([&] { SyncClient::accept(listener.fd(), hasty()); });
    CHECK(std::string(late.what()) == "nobody connected in time");
  }
  SUBCASE("of a process that has ended") {
    test::Bell bell;
    bell.ring();
    const auto gone = failure_of<qmp::Gone>([&] {
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
  const auto marked = failure_of<qmp::Refused>([&] { client.human_monitor("savevm x"); });
  CHECK(marked.error_class() == "HumanMonitor");
  CHECK(std::string(marked.what()) == "`savevm x` was refused: Error: no such thing");
  CHECK_THROWS_AS(client.human_monitor("x"), qmp::Refused);
  CHECK(client.human_monitor("info status") == "VM running\r\n");
  const auto loud =
      failure_of<qmp::Refused>([&] { client.human_monitor("hostfwd_add", HumanReply::silence); });
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
