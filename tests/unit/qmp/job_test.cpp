// SPDX-License-Identifier: MIT
// Jobs as QEMU plays them, by a scripted peer, for the blocking client; client_test has the others.
#include "qmp/job.hpp"

#include "peer.hpp"
#include "qmp/message.hpp"
#include "qmp/sync.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using qmp::JobOptions;
using qmp::SyncClient;
using test::Peer;
using test::Stage;
using namespace std::chrono_literals;

namespace {

const json arguments = {{"job-id", "j"}, {"tag", "t"}};

/// One job that goes from state to state and is looked at in between.
struct Job {
  Stage& stage;

  void event(const std::string& status, const std::string& id = "j") const {
    stage.line(R"({"event": "JOB_STATUS_CHANGE", "data": {"status": ")" + status + R"(", "id": ")" +
               id + R"("}})");
  }
  /// Hears a command of this name, which is about the job.
  std::string hear(const std::string& name) const {
    auto command = stage.hear();
    const auto parsed = json::parse(command);
    CHECK(parsed["execute"] == name);
    if (name != "query-jobs") CHECK(parsed["arguments"].value("id", "j") == "j");
    return command;
  }
  void obey(const std::string& name) const { stage.answer(hear(name), "{}"); }
  void tell(const std::string& status, int current = 0, const std::string& more = "") const {
    stage.answer(hear("query-jobs"),
                 R"([{"id": "other", "status": "concluded", "error": "not mine"},)"
                 R"( {"id": "j", "type": "x", "status": ")" +
                     status + R"(", "current-progress": )" + std::to_string(current) +
                     R"(, "total-progress": 10)" + more + "}]");
  }
};

template <class Failure>
std::string failure_of(SyncClient& client, const JobOptions& options) {
  try {
    client.run_job("x", arguments, options);
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("job: from its start to its dismissal, with progress, whatever else is told") {
  Peer peer([](Stage& stage) {
    stage.open();
    const Job job{stage};
    const auto start = job.hear("snapshot-save");
    job.event("created");
    job.event("running");
    job.event("concluded", "other");
    stage.answer(start, "{}");
    job.tell("running", 3);
    job.event("waiting");
    job.tell("waiting", 10);
    job.event("concluded");
    job.tell("concluded", 10);
    job.obey("job-dismiss");
    stage.line(R"({"event": "STOP"})");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  std::vector<std::string> seen;
  JobOptions options;
  options.interval = 1h;  // it is the events that wake
  options.progress = [&](const qmp::JobProgress& progress) {
    seen.push_back(progress.status + " " + std::to_string(progress.current) + "/" +
                   std::to_string(progress.total));
    return true;
  };
  client.run_job("snapshot-save", arguments, options);
  CHECK(seen == std::vector<std::string>{"running 3/10", "waiting 10/10", "concluded 10/10"});
  // Events that are not the job's are left to others.
  const auto other = client.wait_event({}, 20s);
  REQUIRE(other);
  CHECK(other->data["id"] == "other");
  CHECK(client.wait_event({"STOP"}, 20s).has_value());
}

TEST_CASE("job: one that is not dismissed stays for others to ask about") {
  Peer peer([](Stage& stage) {
    stage.open();
    const Job job{stage};
    stage.answer(job.hear("snapshot-load"), "{}");
    job.tell("concluded", 10, R"(, "error": "no")");
    stage.answer(stage.hear(), "{}");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  JobOptions options;
  options.dismiss = false;
  CHECK_THROWS_AS(client.run_job("snapshot-load", arguments, options), qmp::JobFailed);
  // The next word on the connection is the caller's own.
  CHECK(client.execute("query-status").is_object());
}

TEST_CASE("job: its error, its refusal, its end unseen") {
  std::function<void(const Job&)> script;
  std::string text;
  SUBCASE("an error") {
    script = [](const Job& job) {
      job.obey("x");
      job.tell("concluded", 1, R"(, "error": "No space left on device")");
      job.obey("job-dismiss");
    };
    text = "job `j` failed: No space left on device";
  }
  SUBCASE("dismissed by somebody else meanwhile") {
    script = [](const Job& job) {
      job.obey("x");
      job.tell("concluded", 1, R"(, "error": "broken")");
      job.stage.refuse(job.hear("job-dismiss"), "DeviceNotActive", "Job not found");
    };
    text = "job `j` failed: broken";
  }
  SUBCASE("gone, and its result with it") {
    script = [](const Job& job) {
      job.obey("x");
      job.stage.answer(job.hear("query-jobs"), "[]");
    };
    text = "job `j` failed: it was gone before its result could be read";
  }
  SUBCASE("a block job's error, told once") {
    script = [](const Job& job) {
      job.obey("x");
      job.tell("running");
      job.stage.line(R"({"event": "BLOCK_JOB_COMPLETED", "data": {"device": "j", "len": 10,)"
                     R"( "offset": 3, "speed": 0, "error": "Input/output error"}})");
      job.event("null");
      job.stage.answer(job.hear("query-jobs"), "[]");
    };
    text = "job `j` failed: Input/output error";
  }
  SUBCASE("a block job that somebody else cancelled") {
    script = [](const Job& job) {
      job.obey("x");
      job.stage.line(R"({"event": "BLOCK_JOB_CANCELLED", "data": {"device": "j"}})");
      job.stage.answer(job.hear("query-jobs"), "[]");
    };
    text = "job `j` failed: it was cancelled";
  }
  Peer peer([&](Stage& stage) {
    stage.open();
    script(Job{stage});
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(failure_of<qmp::JobFailed>(client, {}) == text);
}

TEST_CASE("job: a block job that dismisses itself") {
  Peer peer([](Stage& stage) {
    stage.open();
    const Job job{stage};
    job.obey("x");
    job.tell("running");
    stage.line(R"({"event": "BLOCK_JOB_COMPLETED", "data": {"device": "j", "type": "stream"}})");
    stage.answer(job.hear("query-jobs"), "[]");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(failure_of<qmp::JobFailed>(client, {}) == "nothing was thrown");
}

TEST_CASE("job: one that is ready is completed, one that is pending finalized, each once") {
  Peer peer([](Stage& stage) {
    stage.open();
    const Job job{stage};
    job.obey("x");
    job.tell("ready");
    stage.refuse(job.hear("job-complete"), "GenericError", "not now");
    job.tell("ready");
    job.event("pending");
    job.tell("pending");
    job.obey("job-finalize");
    job.event("concluded");
    job.tell("concluded");
    job.obey("job-dismiss");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(failure_of<qmp::JobFailed>(client, {}) == "nothing was thrown");
}

TEST_CASE("job: cancelled by who watches it, and waited for") {
  bool thrown = false;
  SUBCASE("by a word") {}
  SUBCASE("by an exception") {
    thrown = true;
  }
  Peer peer([](Stage& stage) {
    stage.open();
    const Job job{stage};
    job.obey("x");
    job.tell("running", 3);
    job.obey("job-cancel");
    job.tell("aborting", 3);
    job.event("concluded");
    job.tell("concluded", 3, R"(, "error": "Operation canceled")");
    job.obey("job-dismiss");
    stage.answer(stage.hear(), "7");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  JobOptions options;
  options.progress = [thrown](const qmp::JobProgress&) {
    if (thrown) throw std::runtime_error("enough");
    return false;
  };
  if (thrown) {
    CHECK(failure_of<std::runtime_error>(client, options) == "enough");
  } else {
    CHECK(failure_of<qmp::JobCancelled>(client, options) == "job `j` was cancelled");
  }
  CHECK(client.execute("y") == 7);
}

TEST_CASE("job: its deadline cancels it, and a job that does not obey is left behind") {
  bool obeys = false;
  SUBCASE("it obeys") {
    obeys = true;
  }
  SUBCASE("it does not") {}
  Peer peer([obeys](Stage& stage) {
    stage.open();
    const Job job{stage};
    job.obey("x");
    job.tell("running");
    job.obey("job-cancel");
    if (obeys) {
      job.tell("concluded", 1, R"(, "error": "Operation canceled")");
      job.obey("job-dismiss");
    } else {
      job.tell("aborting");
    }
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  JobOptions options;
  options.deadline = 50ms;
  options.cancel_patience = 50ms;
  CHECK(failure_of<qmp::Timeout>(client, options) == "job `j` did not end in time");
}

TEST_CASE("job: one that does not start, and one that has no name") {
  Peer peer([](Stage& stage) {
    stage.open();
    stage.refuse(stage.hear(), "GenericError", "no");
    stage.wait_for_close();
  });
  auto client = SyncClient::adopt(peer.take());
  CHECK(failure_of<qmp::Refused>(client, {}) == "`x` was refused: no");
  CHECK_THROWS_AS(client.run_job("x", {{"tag", "t"}}, {}), std::invalid_argument);
}
