// SPDX-License-Identifier: MIT
// What is built on the agent's wire, and the wire as a value.
#include "qmp/guest.hpp"

#include "agent_sync.hpp"
#include "qmp/agent.hpp"
#include "qmp/agent_session.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using qmp::Agent;
using test::answer_sync;
using test::Peer;
using test::Stage;
using namespace std::chrono_literals;

namespace {

/// Answers the commands that come with these values, and gives what was asked.
struct Script {
  std::vector<std::string> answers;
  std::vector<json> heard = {};

  void play(Stage& stage) {
    answer_sync(stage);
    for (const auto& answer : answers) {
      const auto command = stage.hear();
      if (command.empty()) return;
      heard.push_back(json::parse(command));
      stage.say(answer + "\n");
    }
    stage.wait_for_close();
  }
};

}  // namespace

TEST_CASE("agent: a program with input, output and exit code") {
  Script script{{R"({"return": {"pid": 9}})", R"({"return": {"exited": false}})",
                 R"({"return": {"exited": true, "exitcode": 3, "out-data": "aGVsbG8=",)"
                 R"( "err-data": "AP8=", "err-truncated": true}})",
                 R"({"return": {"pid": 10}})", R"({"return": {"exited": true, "signal": 15}})"}};
  {
    Peer peer([&](Stage& stage) { script.play(stage); });
    auto agent = Agent::adopt(peer.take());
    const auto result = agent.exec({"/bin/cat", {"-n", "-"}, {"A=b"}, std::string("x\0y", 3)}, 20s);
    CHECK(result.pid == 9);
    CHECK(result.code == 3);
    CHECK_FALSE(result.signal);
    CHECK(result.out == "hello");
    CHECK(result.err == std::string("\0\xff", 2));
    CHECK(result.truncated);
    qmp::ExecRequest quiet{"/bin/true"};
    quiet.capture = false;
    const auto killed = agent.exec(quiet, 20s);
    CHECK(killed.signal == 15);
    CHECK_FALSE(killed.code);
    CHECK(killed.out.empty());
  }
  REQUIRE(script.heard.size() == 5);
  CHECK(script.heard[0] ==
        json::parse(R"({"execute": "guest-exec", "arguments": {"path": "/bin/cat",
          "arg": ["-n", "-"], "env": ["A=b"], "input-data": "eAB5", "capture-output": true}})"));
  CHECK(script.heard[1]["arguments"].dump() == R"({"pid":9})");
  CHECK(script.heard[3]["arguments"].dump() == R"({"capture-output":false,"path":"/bin/true"})");
}

TEST_CASE("agent: a program that does not end, and answers that are none") {
  SUBCASE("time is over while it runs") {
    Peer peer([](Stage& stage) {
      answer_sync(stage);
      stage.hear();
      stage.say("{\"return\": {\"pid\": 1}}\n");
      while (!stage.hear().empty()) stage.say("{\"return\": {\"exited\": false}}\n");
    });
    auto agent = Agent::adopt(peer.take());
    CHECK_THROWS_AS(agent.exec({"/bin/sleep"}, 50ms), qmp::Timeout);
  }
  SUBCASE("no pid") {
    Script script{{R"({"return": []})"}};
    Peer peer([&](Stage& stage) { script.play(stage); });
    auto agent = Agent::adopt(peer.take());
    CHECK_THROWS_AS(agent.exec({"/bin/true"}, 20s), qmp::Malformed);
  }
  SUBCASE("no base64") {
    Script script{{R"({"return": {"pid": 1}})",
                   R"({"return": {"exited": true, "exitcode": 0, "out-data": "a=b="}})"}};
    Peer peer([&](Stage& stage) { script.play(stage); });
    auto agent = Agent::adopt(peer.take());
    CHECK_THROWS_AS(agent.exec({"/bin/true"}, 20s), qmp::Malformed);
  }
}

TEST_CASE("agent: files in pieces") {
  Script script{{R"({"return": 1000})",
                 R"({"return": {"count": 3, "buf-b64": "YWJj", "eof": false}})",
                 R"({"return": {"count": 2, "buf-b64": "ZGU=", "eof": false}})",
                 R"({"return": {"count": 0, "buf-b64": "", "eof": true}})", R"({"return": {}})",
                 // Writing: the guest takes less than it was given.
                 R"({"return": 1001})", R"({"return": {"count": 2, "eof": false}})",
                 R"({"return": {"count": 1, "eof": false}})", R"({"return": {}})"}};
  {
    Peer peer([&](Stage& stage) { script.play(stage); });
    auto agent = Agent::adopt(peer.take());
    std::string content;
    agent.read_file(
        "/etc/x", [&](std::string_view piece) { content += piece; }, 20s);
    CHECK(content == "abcde");
    std::string rest = "xyz";
    agent.write_file(
        "/etc/y", [&](std::size_t) { return std::exchange(rest, {}); }, 20s, "a");
  }
  REQUIRE(script.heard.size() == 9);
  CHECK(script.heard[0]["arguments"].dump() == R"({"mode":"r","path":"/etc/x"})");
  CHECK(script.heard[1]["arguments"].dump() == R"({"count":262144,"handle":1000})");
  CHECK(script.heard[4].dump() == R"({"arguments":{"handle":1000},"execute":"guest-file-close"})");
  CHECK(script.heard[5]["arguments"].dump() == R"({"mode":"a","path":"/etc/y"})");
  CHECK(script.heard[6]["arguments"].dump() == R"({"buf-b64":"eHl6","handle":1001})");
  CHECK(script.heard[7]["arguments"].dump() == R"({"buf-b64":"eg==","handle":1001})");
  CHECK(script.heard[8]["execute"] == "guest-file-close");
}

TEST_CASE("agent: a file that fails half-way is closed in the guest") {
  std::vector<std::string> answers;
  bool sink_fails = false;
  SUBCASE("refused") {
    answers = {R"({"return": 7})", R"({"error": {"class": "GenericError", "desc": "I/O"}})",
               R"({"return": {}})"};
  }
  SUBCASE("nothing comes, and no end") {
    answers = {R"({"return": 7})", R"({"return": {"count": 0, "buf-b64": "", "eof": false}})",
               R"({"return": {}})"};
  }
  SUBCASE("nobody takes it") {
    answers = {R"({"return": 7})", R"({"return": {"count": 1, "buf-b64": "YQ==", "eof": true}})",
               R"({"return": {}})"};
    sink_fails = true;
  }
  Script script{answers};
  {
    Peer peer([&](Stage& stage) { script.play(stage); });
    auto agent = Agent::adopt(peer.take());
    const auto sink = [&](std::string_view) {
      if (sink_fails) throw std::runtime_error("full");
    };
    if (sink_fails) {
      CHECK_THROWS_WITH(agent.read_file("/x", sink, 20s), "full");
    } else {
      CHECK_THROWS_AS(agent.read_file("/x", sink, 20s), qmp::Error);
    }
  }
  REQUIRE(script.heard.size() == 3);
  CHECK(script.heard[2].dump() == R"({"arguments":{"handle":7},"execute":"guest-file-close"})");
}

TEST_CASE("agent: what a guest says about itself") {
  Script script{{R"({"return": {"id": "debian", "name": "Debian GNU/Linux", "pretty-name": "D 12",)"
                 R"( "version-id": "12", "kernel-release": "6.1", "machine": "x86_64"}})",
                 R"({"return": [{"name": "lo", "ip-addresses": [{"ip-address": "::1",)"
                 R"( "ip-address-type": "ipv6", "prefix": 128}]}, {"name": "eth0",)"
                 R"( "hardware-address": "52:54:00:00:00:01"}]})",
                 R"({"return": 1700000000250000000})", R"({"return": {}})", R"({"return": {}})",
                 R"({"return": 2})", R"({"return": "frozen"})", R"({"return": 2})",
                 R"({"return": [{"name": 7}]})", R"({"return": 1e300})"}};
  {
    Peer peer([&](Stage& stage) { script.play(stage); });
    auto agent = Agent::adopt(peer.take());
    const auto os = agent.call(qmp::guest_os_info());
    CHECK(os.id == "debian");
    CHECK(os.version == "12");
    const auto interfaces = agent.call(qmp::guest_interfaces());
    REQUIRE(interfaces.size() == 2);
    CHECK(interfaces[0].addresses.at(0).address == "::1");
    CHECK(interfaces[0].addresses.at(0).prefix == 128);
    CHECK(interfaces[0].addresses.at(0).ipv6);
    CHECK(interfaces[1].mac == "52:54:00:00:00:01");
    const auto time = agent.call(qmp::guest_time());
    CHECK(time.time_since_epoch() == 1700000000250ms);
    agent.call(qmp::guest_set_time(time));
    agent.call(qmp::guest_set_time());
    CHECK(agent.call(qmp::guest_freeze()) == 2);
    CHECK(agent.call(qmp::guest_frozen()));
    CHECK(agent.call(qmp::guest_thaw()) == 2);
    CHECK_THROWS_AS(agent.call(qmp::guest_interfaces()), qmp::Malformed);
    CHECK_THROWS_AS(agent.call(qmp::guest_time()), qmp::Malformed);
  }
  REQUIRE(script.heard.size() == 10);
  CHECK(script.heard[3]["arguments"].dump() == R"({"time":1700000000250000000})");
  CHECK_FALSE(script.heard[4].contains("arguments"));
}

TEST_CASE("agent session: the wire, split at every byte") {
  // What an earlier client left, the sync's answer, blank lines, an answer, another.
  const std::string stream =
      "{\"return\": {\"ol\xff\xff{\"return\": 1}\n\xff{\"return\": 77}\r\n\n"
      "{\"return\": {\"a\": \"\xc3\xa4\"}}\n{\"error\": {\"class\": \"C\", \"desc\": \"d\"}}\n";
  const auto play = [&](const std::vector<std::string>& pieces) {
    qmp::AgentSession session;
    std::vector<std::string> seen;
    session.sync(77);
    for (const auto& piece : pieces) {
      session.feed(piece);
      while (auto answer = session.next()) {
        if (std::holds_alternative<qmp::AgentSession::Synced>(*answer)) seen.emplace_back("synced");
        if (const auto* value = std::get_if<qmp::AgentSession::Value>(&*answer)) {
          seen.push_back(value->value.dump());
        }
        if (const auto* refusal = std::get_if<qmp::AgentSession::Refusal>(&*answer)) {
          seen.push_back(refusal->command + " " + refusal->error_class + ": " + refusal->desc);
        }
        session.execute("guest-x");
      }
    }
    return seen;
  };
  const std::vector<std::string> expected{"synced", "{\"a\":\"\xc3\xa4\"}", "guest-x C: d"};
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  CHECK(play(bytes) == expected);
  // An answer that comes in one piece with what is before it was not asked for by then.
  const auto synced = stream.find("77}") + 5;
  const auto first = stream.find("{\"error");
  for (std::size_t at = 1; at < synced; ++at) {
    CHECK(play({stream.substr(0, at), stream.substr(at, synced - at),
                stream.substr(synced, first - synced), stream.substr(first)}) == expected);
  }
  for (std::size_t at = synced + 1; at < first; ++at) {
    CHECK(play({stream.substr(0, synced), stream.substr(synced, at - synced),
                stream.substr(at, first - at), stream.substr(first)}) == expected);
  }
}

TEST_CASE("agent session: misuse, and what comes unasked") {
  qmp::AgentSession session(100);
  CHECK_THROWS_AS(session.execute("guest-ping"), std::logic_error);
  session.sync(5);
  session.feed(std::string(150, 'x'));
  CHECK_FALSE(session.next());  // too long, but it was not asked for
  session.feed("\n\xff{\"return\": 5}\n");
  CHECK(session.next().has_value());
  session.feed("{\"return\": \"unasked\"}\n{\"half");
  CHECK_FALSE(session.next());
  session.execute("guest-ping");
  session.feed("{\"return\": 1}\n");
  const auto answer = session.next();
  REQUIRE(answer);
  CHECK(std::get<qmp::AgentSession::Value>(*answer).value == 1);
}
