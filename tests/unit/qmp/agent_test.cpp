// SPDX-License-Identifier: MIT
#include "qmp/agent.hpp"

#include "agent_sync.hpp"
#include "scratch.hpp"

#include <functional>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using qmp::Agent;
using test::answer_sync;
using test::hear_sync;
using test::Peer;
using test::Stage;
using namespace std::chrono_literals;

namespace {

template <class Failure>
std::string failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("agent: the first call syncs, then commands are answered") {
  Peer peer([](Stage& stage) {
    answer_sync(stage);
    CHECK(stage.hear() == R"({"execute":"guest-ping"})");
    stage.say("{\"return\": {}}\n");
    CHECK(stage.hear() == R"({"execute":"guest-exec","arguments":{"path":"/bin/true"}})");
    stage.say("{\"return\": {\"pid\": 7}}\n");
    stage.wait_for_close();
  });
  auto agent = Agent::adopt(peer.take());
  agent.ping();
  CHECK(agent.execute("guest-exec", {{"path", "/bin/true"}}) == json{{"pid", 7}});
}

TEST_CASE("agent: what an earlier client left behind is dropped by the sync") {
  Peer peer([](Stage& stage) {
    const auto id = hear_sync(stage);
    stage.say("{\"return\": {\"pid\": 1}}\n");     // a whole stale reply
    stage.say("\xff{\"return\": 123456}\n");       // the reply to somebody else's sync
    stage.say("\xff\xff{\"return\": \"x\"}\n\n");  // and to one of another kind
    stage.say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}\n");
    stage.say("{\"return\": {\"half");  // a reply cut off
    stage.say("\xff{\"return\": " + id + "}\n");
    stage.hear();
    stage.say("{\"return\": \"fresh\"}\n");
    stage.wait_for_close();
  });
  CHECK(Agent::adopt(peer.take()).execute("guest-info") == "fresh");
}

TEST_CASE("agent: after a timeout the late reply is not taken for the next one's") {
  Peer peer([](Stage& stage) {
    answer_sync(stage);
    stage.hear();
    const auto id = hear_sync(stage);  // the client has given up and asks again
    stage.say("{\"return\": \"late\"}\n\xff{\"return\": " + id + "}\n");
    stage.hear();
    stage.say("{\"return\": \"fresh\"}\n");
    stage.wait_for_close();
  });
  auto agent = Agent::adopt(peer.take());
  agent.sync();
  CHECK(failure_of<qmp::Timeout>([&] { agent.execute("guest-slow", nullptr, 20ms); }) ==
        "the guest agent did not answer `guest-slow` in time");
  CHECK(agent.execute("guest-quick") == "fresh");
}

TEST_CASE("agent: refusals leave it usable") {
  Peer peer([](Stage& stage) {
    answer_sync(stage);
    stage.hear();
    stage.say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n");
    stage.hear();  // no second sync in between
    stage.say("{\"return\": 1}\n");
    stage.wait_for_close();
  });
  auto agent = Agent::adopt(peer.take());
  try {
    agent.execute("guest-exec", {{"path", "x"}});
    FAIL("nothing was thrown");
  } catch (const qmp::Refused& refused) {
    CHECK(refused.error_class() == "CommandNotFound");
    CHECK(refused.desc() == "disabled");
    CHECK(refused.sent() == R"({"execute":"guest-exec","arguments":{"path":"x"}})");
  }
  CHECK(agent.execute("guest-info") == 1);
}

TEST_CASE("agent: nobody there") {
  Peer peer([](Stage& stage) { stage.wait_for_close(); });
  auto agent = Agent::adopt(peer.take());
  CHECK(failure_of<qmp::Timeout>([&] { agent.ping(20ms); }) ==
        "the guest agent does not answer: it may not be installed or running in the guest, or "
        "another program holds its socket");
}

TEST_CASE("agent: a guest that talks without end does not hold up the deadline") {
  Peer peer([](Stage& stage) {
    const std::string noise = std::string(1000, 'x') + "\n";
    for (int i = 0; i < 10000000 && stage.say(noise); ++i) {
    }
  });
  auto agent = Agent::adopt(peer.take());
  CHECK_THROWS_AS(agent.sync(30ms), qmp::Timeout);
}

TEST_CASE("agent: the cap, garbage, and syncing again after them") {
  std::string bad;
  std::string text;
  SUBCASE("too long") {
    bad = std::string(2000, 'x');
    text = "the guest agent sent a message longer than the limit";
  }
  SUBCASE("not JSON") {
    bad = "rubbish";
    text = "the peer sent what is not JSON: `rubbish`";
  }
  SUBCASE("neither value nor error") {
    bad = "{}";
    text = "the guest agent's answer is neither value nor error";
  }
  Peer peer([&](Stage& stage) {
    answer_sync(stage);
    stage.hear();
    stage.say(bad + "\n");
    answer_sync(stage);
    stage.hear();
    stage.say("{\"return\": 1}\n");
    stage.wait_for_close();
  });
  qmp::AgentOptions options;
  options.line_cap = 1000;
  auto agent = Agent::adopt(peer.take(), options);
  CHECK(failure_of<qmp::Malformed>([&] { agent.execute("guest-info"); }) == text);
  CHECK(agent.execute("guest-info") == 1);
}

TEST_CASE("agent: the end, and a watch") {
  test::Bell bell;
  SUBCASE("closed") {
    Peer peer([](Stage& stage) {
      answer_sync(stage);
      stage.hear();
    });
    auto agent = Agent::adopt(peer.take());
    CHECK(failure_of<qmp::Gone>([&] { agent.ping(); }) ==
          "the connection ended before `guest-ping` was answered: the agent's socket was closed");
  }
  SUBCASE("watch") {
    Peer peer([&](Stage& stage) {
      answer_sync(stage);
      stage.hear();
      bell.ring();
      stage.wait_for_close();
    });
    auto agent = Agent::adopt(peer.take(), {}, {{bell.fd(), "the VM ended"}});
    CHECK(failure_of<qmp::Gone>([&] { agent.ping(); }) ==
          "the connection ended before `guest-ping` was answered: the VM ended");
  }
}

TEST_CASE("agent: commands that answer only when they fail") {
  enum class Ending { silence, close, refusal } ending{};
  SUBCASE("silence is success") {
    ending = Ending::silence;
  }
  SUBCASE("a closing connection is success") {
    ending = Ending::close;
  }
  SUBCASE("a refusal is not") {
    ending = Ending::refusal;
  }
  Peer peer([ending](Stage& stage) {
    answer_sync(stage);
    CHECK(stage.hear() == R"({"execute":"guest-shutdown","arguments":{"mode":"powerdown"}})");
    if (ending == Ending::refusal) {
      stage.say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n");
    }
    if (ending != Ending::close) stage.wait_for_close();
  });
  auto agent = Agent::adopt(peer.take());
  const json mode = {{"mode", "powerdown"}};
  const auto window = ending == Ending::silence ? 20ms : 20000ms;
  const auto text =
      failure_of<qmp::Refused>([&] { agent.send("guest-shutdown", mode, 20s, window); });
  CHECK(text ==
        (ending == Ending::refusal ? "`guest-shutdown` was refused: no" : "nothing was thrown"));
}
