// SPDX-License-Identifier: MIT
// The blocking client against a real QEMU, which takes its listening socket as a descriptor.
#include "qemu.hpp"

#include "qmp/job.hpp"
#include "qmp/message.hpp"
#include "qmp/requests.hpp"
#include "qmp/schema.hpp"
#include "qmp/session.hpp"
#include "qmp/sync.hpp"

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <poll.h>
#include <sys/mman.h>

using nlohmann::json;
using qmp::SyncClient;
using test::Qemu;
using namespace std::chrono_literals;

namespace {

/// A file in memory that QEMU's own table of descriptors shows by its name.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name, std::size_t size = 65536)
      : fd_(::memfd_create(name, MFD_CLOEXEC)) {
    REQUIRE(fd_ >= 0);
    REQUIRE(::ftruncate(fd_, static_cast<off_t>(size)) == 0);
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(fd_); }
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_;
};

std::string link_of(pid_t pid, int fd) {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd),
                                       ignored)
      .string();
}

/// A raw disk image made by QEMU itself, as a node of this name.
void add_disk(SyncClient& client, const std::string& path, const std::string& node) {
  client.run_job("blockdev-create",
                 {{"job-id", "make"},
                  {"options", {{"driver", "file"}, {"filename", path}, {"size", 1 << 20}}}},
                 {});
  client.execute("blockdev-add", {{"driver", "file"}, {"filename", path}, {"node-name", node}});
}

/// A null device that pretends to hold this much, and reads slowly.
void add_null(SyncClient& client, const std::string& node, long long size) {
  client.execute(
      "blockdev-add",
      {{"driver", "null-co"}, {"node-name", node}, {"size", size}, {"read-zeroes", true}});
}

}  // namespace

TEST_CASE("qemu: status, a refused command, the human monitor, quit, then gone") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  SyncClient client(qemu.socket(), {}, {qemu.watch()});
  CHECK(client.greeting().version["qemu"]["major"].is_number());
  CHECK(client.call(qmp::query_status()).running == false);
  try {
    client.execute("query-nothing-at-all");
    FAIL("nothing was thrown");
  } catch (const qmp::Refused& refused) {
    CHECK(refused.error_class() == "CommandNotFound");
  }
  CHECK(client.human_monitor("info status").find("paused") != std::string::npos);
  CHECK_THROWS_AS(client.human_monitor("no-such-word"), qmp::Refused);
  CHECK_THROWS_AS(client.human_monitor("savevm x"), qmp::Refused);  // there is no disk for it
  CHECK(client.human_monitor("log none", qmp::HumanReply::silence).empty());
  const auto types = client.call(qmp::qom_list_types("device"));
  CHECK(std::find(types.begin(), types.end(), "virtio-blk-pci") != types.end());
  client.quit();
  CHECK(client.wait_event({"SHUTDOWN"}, 20s).has_value());
  CHECK_THROWS_AS(client.wait_event({}, 20s), qmp::Gone);
  CHECK_THROWS_AS(client.execute("query-status"), qmp::Gone);
  CHECK(qemu.wait() == 0);
}

TEST_CASE("qemu: a second client hears that the first holds the socket") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  const SyncClient first(qemu.socket(), {}, {qemu.watch()});
  qmp::Options hasty;
  hasty.greeting = 50ms;
  CHECK_THROWS_AS(SyncClient(qemu.socket(), hasty, {qemu.watch()}), qmp::Busy);
}

TEST_CASE("qemu: one that dies at its start ends the waiting, although the listener lives on") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  // The test itself keeps the listening socket open, as a launcher would: no end of file comes.
  Qemu qemu(binary, {"-no-such-option"});
  CHECK_THROWS_AS(SyncClient(qemu.socket(), {}, {qemu.watch()}), qmp::Gone);
}

TEST_CASE("qemu: one that connects to us") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  const test::ScratchFolder folder;
  const auto path = folder.path() / "back";
  const test::Listener listener(path);
  Qemu qemu(binary, {"-machine", "none", "-chardev", "socket,id=b,path=" + path.string(), "-mon",
                     "chardev=b,mode=control"});
  qmp::Options options;
  options.greeting = 20s;
  auto client = SyncClient::accept(listener.fd(), options, {qemu.watch()});
  CHECK_FALSE(client.call(qmp::query_status()).running);
}

TEST_CASE("qemu: what it cannot read costs the connection nothing") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  // The errors that its documentation names, and those that its parser is built for; what is sent
  // here no client of ours would send.
  const std::vector<std::string> inputs = {
      R"({ "execute": })",
      R"({"execute": 7})",
      R"({"arguments": {}})",
      R"({"execute": "query-status", "more": 1})",
      R"({"execute": "query-status", "exec-oob": "query-status"})",
      R"({"execute": "query-status", "arguments": 7})",
      R"({"execute": "query-status", "arguments": {"unknown": 1}})",
      R"([1])",
      R"("text")",
      R"({"execute": "x)"
      "\xff"
      R"("})",
      std::string(1100, '['),
      "\xff",
  };
  const int fd = test::connect(qemu.socket());
  qmp::Session session;
  const auto until = [&](auto wanted) {
    int complaints = 0;
    for (;;) {
      while (const auto message = session.next()) {
        if (std::holds_alternative<qmp::Complaint>(*message)) ++complaints;
        if (wanted(*message)) return complaints;
      }
      REQUIRE_FALSE(session.closed());
      const auto out = session.outgoing();
      if (!out.empty())
        session.sent(static_cast<std::size_t>(::send(fd, out.data(), out.size(), 0)));
      pollfd waiting{fd, POLLIN, 0};
      REQUIRE(::poll(&waiting, 1, 20000) == 1);
      std::array<char, 65536> buffer{};
      const auto n = ::recv(fd, buffer.data(), buffer.size(), 0);
      REQUIRE(n > 0);
      session.feed({buffer.data(), static_cast<std::size_t>(n)});
    }
  };
  until([](const qmp::Message& m) { return std::holds_alternative<qmp::Ready>(m); });
  for (const auto& input : inputs) {
    CAPTURE(input);
    // The byte that no JSON holds ends whatever the input has left open.
    const auto text = input + "\xff";
    REQUIRE(::send(fd, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
    // Two, so that no complaint can be taken for an answer to one of them.
    session.execute("query-name");
    const auto id = session.execute("query-status");
    const auto complaints = until([id](const qmp::Message& m) {
      const auto* reply = std::get_if<qmp::Reply>(&m);
      return reply != nullptr && reply->id == id;
    });
    CHECK(complaints > 0);
  }
  ::close(fd);
}

TEST_CASE("qemu: descriptors") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  SyncClient client(qemu.socket(), {}, {qemu.watch()});
  const MemoryFile one("one");
  const MemoryFile two("two", 131072);
  client.execute_with_fds("getfd", {{"fdname", "a"}}, {one.fd()});
  client.execute("closefd", {{"fdname", "a"}});
  CHECK_THROWS_AS(client.execute("getfd", {{"fdname", "b"}}), qmp::Refused);  // without one
  const auto added = client.execute_with_fds("add-fd", {{"fdset-id", 1}}, {two.fd()});
  CHECK(link_of(qemu.pid(), added.at("fd").get<int>()) == "/memfd:two (deleted)");
  client.execute("blockdev-add",
                 {{"driver", "file"}, {"filename", "/dev/fdset/1"}, {"node-name", "n"}});
  const auto nodes = client.call(qmp::query_named_block_nodes());
  REQUIRE(nodes.size() == 1);
  CHECK(nodes[0].name == "n");
  CHECK(nodes[0].size == 131072);
}

TEST_CASE("qemu: jobs, their progress, errors and ends") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  SyncClient client(qemu.socket(), {}, {qemu.watch()});
  const auto path = (qemu.folder() / "disk").string();
  std::vector<std::string> seen;
  qmp::JobOptions options;
  options.progress = [&](const qmp::JobProgress& progress) {
    seen.push_back(progress.status);
    return true;
  };
  client.run_job(
      "blockdev-create",
      {{"job-id", "a"}, {"options", {{"driver", "file"}, {"filename", path}, {"size", 65536}}}},
      options);
  CHECK(std::filesystem::file_size(path) == 65536);
  REQUIRE_FALSE(seen.empty());
  CHECK(seen.back() == "concluded");

  const json absent = {
      {"job-id", "b"},
      {"options", {{"driver", "file"}, {"filename", path + "/no"}, {"size", 65536}}}};
  try {
    client.run_job("blockdev-create", absent, {});
    FAIL("nothing was thrown");
  } catch (const qmp::JobFailed& failed) {
    CHECK(failed.job() == "b");
    CHECK(failed.reason().find("Not a directory") != std::string::npos);
  }
  CHECK(client.execute("query-jobs").empty());  // both were dismissed

  // Block jobs: one that dismisses itself, one that is to be completed, one that is cancelled.
  add_null(client, "source", 1 << 24);
  add_null(client, "target", 1 << 24);
  const json backup = {
      {"job-id", "c"}, {"device", "source"}, {"target", "target"}, {"sync", "full"}};
  client.run_job("blockdev-backup", backup, {});
  const json mirror = {
      {"job-id", "d"}, {"device", "source"}, {"target", "target"}, {"sync", "full"}};
  client.run_job("blockdev-mirror", mirror, {});
  auto slow = backup;
  slow["job-id"] = "e";
  slow["speed"] = 65536;
  int looks = 0;
  options.interval = 5ms;
  options.progress = [&looks](const qmp::JobProgress& progress) {
    return progress.status != "running" || ++looks < 3;
  };
  CHECK_THROWS_AS(client.run_job("blockdev-backup", slow, options), qmp::JobCancelled);
  CHECK(looks == 3);
  slow["auto-dismiss"] = false;
  qmp::JobOptions limited;
  limited.deadline = 50ms;
  CHECK_THROWS_AS(client.run_job("blockdev-backup", slow, limited), qmp::Timeout);
  CHECK(client.execute("query-jobs").empty());
}

TEST_CASE("qemu: a snapshot with the state of the machine") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary, {"-machine", "pc", "-accel", "tcg", "-m", "8"});
  SyncClient client(qemu.socket(), {}, {qemu.watch()});
  add_disk(client, (qemu.folder() / "state").string(), "file");
  client.run_job("blockdev-create",
                 {{"job-id", "format"},
                  {"options", {{"driver", "qcow2"}, {"file", "file"}, {"size", 1 << 26}}}},
                 {});
  client.execute("blockdev-add", {{"driver", "qcow2"}, {"file", "file"}, {"node-name", "state"}});
  qmp::JobOptions options;
  options.start = qmp::Deadline(60s);
  const auto arguments = qmp::snapshot_save_arguments("s", "before", "state", {"state"});
  client.run_job("snapshot-save", arguments, options);
  for (const auto& node : client.call(qmp::query_named_block_nodes())) {
    if (node.name == "state") CHECK(node.snapshots == std::vector<std::string>{"before"});
  }
  try {
    client.run_job("snapshot-save", arguments, options);
    FAIL("nothing was thrown");
  } catch (const qmp::JobFailed& failed) {
    CHECK(failed.reason().find("before") != std::string::npos);
  }
  client.run_job("snapshot-delete", qmp::snapshot_delete_arguments("s", "before", {"state"}), {});
  CHECK(client.call(qmp::query_named_block_nodes()).at(0).snapshots.empty());
}

TEST_CASE("qemu: what it can do, in a table") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  Qemu qemu(binary);
  SyncClient client(qemu.socket(), {}, {qemu.watch()});
  const auto reply = client.execute("query-qmp-schema");
  const auto schema = qmp::Schema::load(qmp::Schema::parse(reply).text());
  CHECK(schema.text().size() * 3 < reply.dump().size());
  const auto commands = schema.commands();
  CHECK(commands.size() > 100);
  // QEMU lists by another way what it obeys.
  for (const auto& entry : client.execute("query-commands")) {
    CAPTURE(entry);
    CHECK(schema.has_command(entry.at("name").get<std::string>()));
  }
  CHECK_FALSE(schema.has_command("query-nothing"));
  CHECK(schema.has_event("SHUTDOWN"));
  CHECK(schema.allows_oob("yank"));
  CHECK_FALSE(schema.allows_oob("query-status"));
  CHECK(schema.has_argument("screendump", "format"));  // from 7.1 on
  CHECK(schema.has_value("screendump", "format", "png"));
  CHECK(schema.has_argument("blockdev-add", "discard"));
  CHECK(schema.has_argument("blockdev-add", "lazy-refcounts"));  // of qcow2
  CHECK(schema.has_argument("blockdev-add", "file.filename"));
  CHECK(schema.has_value("blockdev-add", "driver", "qcow2"));
  CHECK(schema.has_value("blockdev-add", "file.driver", "file"));
  CHECK_FALSE(schema.has_value("blockdev-add", "driver", "no-such"));
}

TEST_CASE("qemu: the examples") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  const char* folder = std::getenv("QMP_EXAMPLES");
  REQUIRE(folder != nullptr);
  Qemu qemu(binary, {"-machine", "pc", "-accel", "tcg", "-m", "8"});
  const auto status = test::run({std::string(folder) + "/qmp_status", qemu.socket().string()});
  CHECK(status.code == 0);
  CHECK(status.text.starts_with("QEMU "));
  CHECK(status.text.find(": prelaunch\ncpu 0: thread ") != std::string::npos);
  CHECK(test::run({std::string(folder) + "/qmp_status", "/nowhere/at/all"}).code == 1);

  // A second monitor makes things happen while the first is listened to.
  const test::ScratchFolder scratch;
  const test::Listener back(scratch.path() / "back");
  Qemu other(binary, {"-machine", "none", "-chardev",
                      "socket,id=b,path=" + (scratch.path() / "back").string(), "-mon",
                      "chardev=b,mode=control"});
  qmp::Options options;
  options.greeting = 20s;
  auto client = SyncClient::accept(back.fd(), options, {other.watch()});
  // It takes its first command when it has connected: the end of QEMU ends it.
  const auto script = "'" + std::string(folder) + "/qmp_events' '" + other.socket().string() + "'";
  std::string text;
  FILE* events = ::popen(script.c_str(), "r");
  REQUIRE(events != nullptr);
  std::array<char, 4096> line{};
  REQUIRE(std::fgets(line.data(), line.size(), events) != nullptr);
  CHECK(json::parse(line.data())["running"] == false);
  client.execute("cont");
  client.quit();
  while (std::fgets(line.data(), line.size(), events) != nullptr) {
    text += json::parse(line.data())["event"].get<std::string>() + " ";
  }
  CHECK(::pclose(events) == 0);
  CHECK(text == "RESUME SHUTDOWN ");
}
