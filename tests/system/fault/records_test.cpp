// SPDX-License-Identifier: MIT
// Records that lie, or are damaged.
#include "fault/fault.hpp"
#include "host/files.hpp"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

using fault::pid;
using fault::Who;
using nlohmann::json;
using test::contains;
using test::eventually;
using test::Home;

namespace fs = std::filesystem;

namespace {

/// A process that is none of ours, and has to outlive everything.
class Bystander {
 public:
  Bystander() {
    qlaunch::SpawnOptions options;
    options.argv = {"sleep", "1000"};
    child_ = qlaunch::spawn(options);
  }
  ~Bystander() {
    CHECK_MESSAGE(qlaunch::alive(child_.id), "a foreign process was ended");
    qlaunch::kill_and_reap(child_);
  }
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

  const qlaunch::ProcessId& id() const { return child_.id; }

 private:
  qlaunch::Child child_;
};

json process_json(const qlaunch::ProcessId& id) {
  return {{"pid", id.pid}, {"start_time", id.start_time}, {"boot_id", id.boot_id}};
}

/// Both copies of the live record.
std::vector<std::string> live_files(const Home& home) {
  return {home.path() + "/run/tiny/live.json", home.path() + "/data/tiny/run.json"};
}

void replace(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

}  // namespace

TEST_CASE("a record that names another process does not have it signalled") {
  Home home;
  const Bystander bystander;
  home.write("tiny.toml", fault::with_helper());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const int qemu = pid(home, Who::qemu);
  const auto text = qlaunch::read_file(live_files(home)[0]);
  // The plan is the second line.
  const auto end = text.find('\n');
  auto live = json::parse(text.substr(0, end));
  auto other = process_json(bystander.id());
  SUBCASE("with the pid of another process, QEMU's being used again") {
    other["start_time"] = live["qemu"]["start_time"];
  }
  SUBCASE("of another boot") {
    other["boot_id"] = "00000000-0000-0000-0000-000000000000";
  }
  // As after a crash: the processes are gone, and the record is still there.
  fault::kill_for_sure(pid(home, Who::keeper));
  fault::kill_for_sure(qemu);
  REQUIRE(eventually([&] { return home.processes().empty(); }));
  live["qemu"] = other;
  live["keeper"] = other;
  for (auto& helper : live["helpers"]) helper["process"] = other;
  for (const auto& file : live_files(home)) replace(file, live.dump() + text.substr(end));
  CHECK(fault::ask(home, "tiny").state == "stopped");
  for (const auto& file : live_files(home)) {
    fs::create_directories(fs::path(file).parent_path());
    REQUIRE(chown(fs::path(file).parent_path().c_str(), test::user(), test::user()) == 0);
    chmod(fs::path(file).parent_path().c_str(), 0700);
    replace(file, live.dump() + text.substr(end));
  }
  CHECK(home.run({"kill", "tiny"}).code == 3);
  CHECK(home.run({"shutdown", "tiny"}).code == 3);
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("a start list that names another process does not have it signalled") {
  Home home;
  const Bystander bystander;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const auto list = home.path() + "/run/tiny/starting";
  const auto runtime = home.path() + "/run/tiny";
  REQUIRE(fs::exists(list));
  auto lines = qlaunch::split(qlaunch::read_file(list), '\n');
  REQUIRE(home.run({"kill", "tiny"}).code == 0);
  const auto stat = qlaunch::read_file("/proc/" + std::to_string(bystander.id().pid) + "/stat");
  std::string text;
  // Its pid belonged to another process then: the first word, and the rest as it was.
  SUBCASE("its pid is used again") {
    text = lines.at(0) + '\n' + std::to_string(bystander.id().pid) +
           lines.at(1).substr(lines.at(1).find(' ')) + '\n';
  }
  SUBCASE("it is of another boot") {
    text = "00000000-0000-0000-0000-000000000000\n" + stat;
  }
  SUBCASE("it is garbage") {
    text = std::string("\0\0(((\n", 6) + "1 1 1 1\n-1 (x) S\n";
  }
  fs::create_directory(runtime);
  REQUIRE(chown(runtime.c_str(), test::user(), test::user()) == 0);
  chmod(runtime.c_str(), 0700);
  replace(list, text);
  CHECK(fault::ask(home, "tiny").state == "stopped");
  fault::expect_recovery(home, "tiny.toml", "tiny");
}

TEST_CASE("a live record that is damaged hides no running VM") {
  Home home;
  home.write("tiny.toml", fault::tiny());
  REQUIRE(home.run({"up", "tiny.toml"}).code == 0);
  const auto files = live_files(home);
  SUBCASE("the one beside the sockets is gone") {
    fs::remove(files[0]);
  }
  SUBCASE("the lasting copy is gone") {
    fs::remove(files[1]);
  }
  SUBCASE("the lasting copy is garbage") {
    replace(files[1], "{\"qemu\": 1");
  }
  SUBCASE("the lasting copy is empty") {
    replace(files[1], "");
  }
  fault::expect_truth(home, "tiny");
  CHECK(fault::ask(home, "tiny").state == "running");
  CHECK(pids(home, Who::keeper).size() == 1);
  CHECK(home.run({"shutdown", "tiny", "--timeout", "60s"}).code == 0);
  fault::expect_recovery(home, "tiny.toml", "tiny");
}
