// SPDX-License-Identifier: MIT
#include "fault/fault.hpp"

#include "core/text.hpp"
#include "host/files.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

#include <sys/wait.h>

using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace fs = std::filesystem;

namespace fault {

const char* name_of(Who who) {
  switch (who) {
    case Who::launcher:
      return "the launcher";
    case Who::keeper:
      return "the keeper";
    case Who::qemu:
      return "QEMU";
    case Who::helper:
      return "a helper";
    case Who::command:
      break;
  }
  return "the command";
}

std::string tiny(const std::string& more) {
  return "name = \"tiny\"\n[machine]\nmemory = \"16 MiB\"\naccel = \"tcg\"\n" + more +
         "[[disk]]\nname = \"root\"\nimage = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n"
         // Before that it does not hear its power button.
         "[ready]\nwhen = \"serial:hello from qlaunch\"\n";
}

std::string with_helper() {
  return tiny("tpm = true\n");
}

std::string deaf(const std::string& timeout) {
  return "name = \"tiny\"\n[machine]\nmemory = \"16 MiB\"\naccel = \"tcg\"\n"
         "[[disk]]\nname = \"root\"\nsize = \"1 MiB\"\n[[network]]\nmode = \"none\"\n"
         "[shutdown]\ntimeout = \"" +
         timeout + "\"\n";
}

namespace {

Who kind_of(const std::string& process) {
  if (contains(process, " -machine ")) return Who::qemu;
  if (contains(process, "swtpm") || contains(process, "virtiofsd")) return Who::helper;
  if (contains(process, " keeper ")) return Who::keeper;
  if (contains(process, " up ")) return Who::launcher;
  return Who::command;
}

/// The field of /proc/PID/stat, numbered as in proc(5), from the state at 3 on.
std::string stat_field(int pid, std::size_t number) {
  const auto stat = qlaunch::try_read_file("/proc/" + std::to_string(pid) + "/stat");
  if (!stat || stat->rfind(')') == std::string::npos) return {};
  const auto fields = qlaunch::split(stat->substr(stat->rfind(')') + 2), ' ');
  return fields.at(number - 3);
}

}  // namespace

std::vector<int> pids(const Home& home, Who who) {
  std::vector<int> launchers, found;
  const auto all = home.processes();
  for (const auto& process : all) {
    if (kind_of(process) == Who::launcher) launchers.push_back(std::atoi(process.c_str()));
  }
  for (const auto& process : all) {
    const int pid = std::atoi(process.c_str());
    auto kind = kind_of(process);
    // Until it runs the keeper's command line it looks like its parent, the launcher; where that
    // one was killed, only its session tells.
    if (kind == Who::launcher && stat_field(pid, 6) == std::to_string(pid)) kind = Who::keeper;
    if (kind == who) found.push_back(pid);
  }
  if (who != Who::keeper) return found;
  // What a keeper has done by a child of its own looks like it, and goes with it.
  std::vector<int> keepers;
  for (const int pid : found) {
    const auto parent = stat_field(pid, 4);
    const bool child = std::any_of(found.begin(), found.end(),
                                   [&](int each) { return std::to_string(each) == parent; });
    if (!child) keepers.push_back(pid);
  }
  return keepers;
}

int pid(const Home& home, Who who) {
  std::vector<int> found;
  REQUIRE_MESSAGE(eventually([&] {
                    found = pids(home, who);
                    return found.size() == 1;
                  }),
                  name_of(who) << ": " << found.size());
  return found.front();
}

int stopped_at_step(const Home& home) {
  int found = 0;
  eventually(
      [&] {
        for (const auto& process : home.processes()) {
          const int pid = std::atoi(process.c_str());
          if (stat_field(pid, 3) == "T") found = pid;
        }
        return found != 0;
      },
      std::chrono::seconds(20));
  return found;
}

void kill_for_sure(int pid) {
  REQUIRE(pid > 1);
  kill(pid, SIGKILL);
  CHECK(eventually([&] {
    const auto state = stat_field(pid, 3);
    return state.empty() || state == "Z";
  }));
}

std::string command_line(int pid) {
  auto line =
      qlaunch::try_read_file("/proc/" + std::to_string(pid) + "/cmdline").value_or(std::string());
  for (char& character : line) {
    if (character == '\0') character = ' ';
  }
  return line;
}

bool ended(const qlaunch::Child& child) {
  return qlaunch::wait_exit(child.pidfd.get(),
                            std::chrono::steady_clock::now() + std::chrono::minutes(1));
}

int code_of(const qlaunch::Child& child) {
  const auto status =
      qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status.has_value());
  return WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
}

Truth ask(const Home& home, const std::string& vm) {
  const auto begin = std::chrono::steady_clock::now();
  const auto said = home.run({"status", vm, "--get", "state"});
  Truth truth;
  truth.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  // Of a VM whose first start was undone nothing is known, which is the truth about it, too.
  truth.state = said.code == 3 ? "stopped" : std::string(qlaunch::trim(said.out));
  CHECK_MESSAGE((said.code == 0 || said.code == 3), said.err);
  return truth;
}

void expect_truth(const Home& home, const std::string& vm) {
  std::string state;
  std::size_t running = 0;
  const auto told = [&] {
    const auto truth = ask(home, vm);
    CHECK(truth.seconds < 2.0);
    state = truth.state;
    running = pids(home, Who::qemu).size();
    return running == 0 ? state == "stopped"
                        : running == 1 && (state == "running" || state == "starting");
  };
  // Whoever was not killed goes on meanwhile, so that both may change between the two looks.
  CHECK_MESSAGE(eventually(told, std::chrono::seconds(2)),
                state << " with " << running << " QEMUs");
}

void expect_recovery(const Home& home, const std::string& profile, const std::string& vm) {
  const auto up = home.run({"up", profile, "--no-wait"});
  CHECK_MESSAGE(up.code == 0, up.err);
  CHECK(ask(home, vm).state == "running");
  CHECK(pids(home, Who::qemu).size() == 1);
  CHECK(pids(home, Who::keeper).size() == 1);
  const auto ended = home.run({"kill", vm});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK_MESSAGE(eventually([&] { return home.processes().empty(); }, std::chrono::seconds(10)),
                qlaunch::join(home.processes(), "; "));
  CHECK_MESSAGE(home.runtime_files().empty(), qlaunch::join(home.runtime_files(), " "));
  CHECK(ask(home, vm).state == "stopped");
  for (const auto& entry : fs::directory_iterator(home.path() + "/data/" + vm)) {
    const auto path = entry.path().string();
    CHECK_FALSE_MESSAGE(contains(path, ".new."), path);
    if (entry.path().extension() != ".qcow2") continue;
    const auto check = qlaunch::run_and_capture({"qemu-img", "check", "-q", path});
    CHECK_MESSAGE(check.ok(), path << ": " << check.out << check.err);
  }
}

json status(const Home& home, const std::string& vm) {
  const auto said = home.run({"status", vm, "--json"});
  REQUIRE_MESSAGE(said.code == 0, said.err);
  return json::parse(said.out);
}

std::vector<json> events(const Home& home, const std::string& vm, const std::string& event) {
  std::vector<json> found;
  for (const auto& line : qlaunch::split(home.run({"log", vm, "events"}).out, '\n')) {
    auto json = json::parse(line, nullptr, false);
    if (json.is_object() && json.value("event", "") == event) found.push_back(std::move(json));
  }
  return found;
}

}  // namespace fault
