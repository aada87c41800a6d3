// SPDX-License-Identifier: MIT
// The agent's client against the real agent, in the micro Linux guest.
#include "qemu.hpp"
#include "qmp/agent.hpp"
#include "qmp/guest.hpp"
#include "qmp/message.hpp"
#include "qmp/sync.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using namespace std::chrono_literals;

namespace {

/// The folder with kernel and initrd; empty where they cannot be made here, and said so.
std::string guest_or_skip() {
  const char* script = std::getenv("QLAUNCH_MICRO_GUEST");
  REQUIRE(script != nullptr);
  const auto made = test::run({"sh", script});
  if (made.code == 0) return made.text;
  std::printf("[skip] agent: the micro guest cannot be made here\n");
  std::fflush(stdout);
  return {};
}

/// The agent comes up some time after the guest has started.
void await_agent(qmp::Agent& agent, qmp::Deadline deadline) {
  for (;;) {
    try {
      return agent.ping(500ms);
    } catch (const qmp::Timeout&) {
      REQUIRE_FALSE(deadline.passed());
    }
  }
}

}  // namespace

TEST_CASE("agent: a real one, from its first answer to the end of its guest") {
  const auto binary = test::qemu_or_skip();
  if (binary.empty()) return;
  const auto guest = guest_or_skip();
  if (guest.empty()) return;
  const test::ScratchFolder folder;
  const auto path = folder.path() / "agent";
  test::Qemu qemu(binary, {"-machine", "q35",
                           "-accel",   "tcg",
                           "-cpu",     "max",
                           "-m",       "384",
                           "-kernel",  guest + "/vmlinux",
                           "-initrd",  guest + "/initrd",
                           "-append",  "console=ttyS0 cryptomgr.notests quiet panic=-1",
                           "-netdev",  "user,id=n",
                           "-device",  "virtio-net-pci,netdev=n,mac=52:54:00:12:34:56,romfile=",
                           "-device",  "virtio-serial-pci",
                           "-chardev", "socket,id=a,server=on,wait=off,path=" + path.string(),
                           "-device",  "virtserialport,chardev=a,name=org.qemu.guest_agent.0"});
  qmp::SyncClient client(qemu.socket(), {}, {qemu.watch()});
  qmp::AgentOptions options;
  options.reply = 30s;
  qmp::Agent agent(path, options, {qemu.watch()});
  // Nobody is there yet: the guest stands still.
  CHECK_THROWS_AS(agent.ping(50ms), qmp::Timeout);
  client.execute("cont");
  await_agent(agent, 60s);

  const auto os = agent.call(qmp::guest_os_info());
  CHECK(os.machine == "x86_64");
  CHECK_FALSE(os.kernel.empty());

  bool found = false;
  for (const auto& interface : agent.call(qmp::guest_interfaces())) {
    if (interface.mac != "52:54:00:12:34:56") continue;
    for (const auto& address : interface.addresses) {
      found = found || (address.address == "10.0.2.15" && address.prefix == 24 && !address.ipv6);
    }
  }
  CHECK(found);

  const auto result = agent.exec(
      {"/bin/sh", {"-c", "cat; echo \"$WORD\" >&2; exit 3"}, {"WORD=hidden"}, "read me\n"}, 30s);
  CHECK(result.code == 3);
  CHECK(result.out == "read me\n");
  CHECK(result.err == "hidden\n");
  CHECK_FALSE(result.truncated);
  CHECK(agent.exec({"/bin/sh", {"-c", "kill -TERM $$"}}, 30s).signal == 15);
  CHECK_THROWS_AS(agent.exec({"/no/such/program"}, 30s), qmp::Refused);
  CHECK_THROWS_AS(agent.exec({"/bin/sleep", {"1000"}}, 200ms), qmp::Timeout);

  // More than one piece, and every byte there is.
  std::string content;
  for (int i = 0; i < 700000; ++i) content += static_cast<char>(i * 7 + i / 256);
  std::size_t at = 0;
  agent.write_file(
      "/tmp/file",
      [&](std::size_t most) {
        auto piece = content.substr(at, most);
        at += piece.size();
        return piece;
      },
      60s);
  agent.write_file(
      "/tmp/file",
      [last = std::string("end")](std::size_t) mutable { return std::exchange(last, {}); }, 60s,
      "a");
  content += "end";
  std::string read;
  agent.read_file(
      "/tmp/file", [&](std::string_view piece) { read += piece; }, 60s);
  CHECK(read.size() == content.size());
  CHECK((read == content));
  CHECK_THROWS_AS(agent.read_file(
                      "/no/such/file", [](std::string_view) {}, 30s),
                  qmp::Refused);

  // Its file systems are in memory: none can be frozen, and it is asked all the same.
  CHECK_FALSE(agent.call(qmp::guest_frozen()));
  CHECK(agent.call(qmp::guest_freeze()) == 0);
  CHECK(agent.call(qmp::guest_thaw()) == 0);

  const auto day = std::chrono::sys_days(std::chrono::year(2031) / 5 / 17) + 3h;
  agent.call(qmp::guest_set_time(day));
  const auto passed = agent.call(qmp::guest_time()) - day;
  CHECK(passed >= 0s);
  CHECK(passed < 1h);

  const char* examples = std::getenv("QMP_EXAMPLES");
  REQUIRE(examples != nullptr);
  {
    // A socket serves one client: this one leaves, and what it left behind is skipped.
    auto leaving = std::move(agent);
  }
  const auto shown = test::run({std::string(examples) + "/agent_exec", path.string(), "/bin/sh",
                                "-c", "echo from the guest; exit 7"});
  CHECK(shown.text == "from the guest");
  CHECK(shown.code == 7);

  qmp::Agent last(path, options, {qemu.watch()});
  last.shutdown(qmp::GuestShutdown::powerdown);
  const auto event = client.wait_event({"SHUTDOWN"}, 60s);
  REQUIRE(event);
  CHECK(event->data["reason"] == "guest-shutdown");
  CHECK(qemu.wait() == 0);
}
