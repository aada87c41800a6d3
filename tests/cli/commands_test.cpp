// SPDX-License-Identifier: MIT
#include "core/text.hpp"
#include "host/files.hpp"
#include "support/run.hpp"

#include <algorithm>
#include <csignal>
#include <set>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <sys/wait.h>

using nlohmann::json;
using qlaunch::split;
using test::contains;

namespace {

/// The commands that the overview shows.
std::vector<std::string> shown_commands(const test::Home& home) {
  std::vector<std::string> names;
  for (const auto& line : split(home.run({"--help"}).out, '\n')) {
    if (line.starts_with("  ") && line[2] != ' ')
      names.push_back(line.substr(2, line.find(' ', 2) - 2));
  }
  return names;
}

int widest(const std::string& text) {
  int width = 0;
  for (const auto& line : split(text, '\n')) width = std::max(width, qlaunch::display_width(line));
  return width;
}

/// The words in backticks before the colon of each item below "## Keys of --json".
std::set<std::string> documented_keys(const std::string& help) {
  std::set<std::string> keys;
  bool inside = false;
  for (const auto& line : split(help, '\n')) {
    if (line == "Exit codes" || line == "How a run ended") inside = false;
    if (line == "Keys of --json") inside = true;
    if (!inside || !line.starts_with("- ")) continue;
    // "- `name`, `profile`: …", and "- `display`: its type; `vnc_socket`, `spice_address`: …"
    for (const auto& part : split(line, ';')) {
      const auto colon = part.find(": ");
      if (colon == std::string::npos) continue;
      const auto names = split(part.substr(0, colon), '`');
      for (std::size_t index = 1; index < names.size(); index += 2) keys.insert(names[index]);
    }
  }
  return keys;
}

std::set<std::string> keys_of(const json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

/// Runs with standard output on this descriptor.
int run_into(const test::Home& home, const std::string& words, const std::string& where) {
  const auto options = home.program({"sh", "-c", "\"$0\" " + words + ' ' + where, test::binary()});
  const auto captured = qlaunch::run_and_capture(options, std::chrono::minutes(1), 1 << 20);
  INFO(captured.err);
  return WIFEXITED(captured.status) ? WEXITSTATUS(captured.status) : -1;
}

}  // namespace

TEST_CASE("cli: the overview fits a terminal's width, and two screens") {
  const test::Home home;
  const auto text = home.run({"--help"}).out;
  CHECK(widest(text) <= 80);
  CHECK(split(text, '\n').size() <= 60);
  CHECK(shown_commands(home).size() >= 28);
}

TEST_CASE("cli: every manual has an example and exit codes, and fits") {
  test::Home home;
  auto commands = shown_commands(home);
  REQUIRE(!commands.empty());
  commands.insert(commands.end(), {"keeper", "reference"});
  for (const auto& command : commands) {
    CAPTURE(command);
    home.environment.clear();
    const auto wide = home.run({command, "--help"});
    CHECK(wide.code == 0);
    CHECK(wide.err.empty());
    CHECK(contains(wide.out, "$ qlaunch " + command));
    CHECK(contains(wide.out, "\nExit codes\n"));
    CHECK(contains(wide.out, "\n- `0`: "));
    CHECK(widest(wide.out) <= 80);
    CHECK(home.run({"help", command}).out == wide.out);
    home.environment = {"COLUMNS=60"};
    CHECK(widest(home.run({command, "--help"}).out) <= 60);
    // However wide the terminal: lines of prose are not longer.
    home.environment = {"COLUMNS=300"};
    CHECK(home.run({command, "--help"}).out == wide.out);
  }
}

TEST_CASE("cli: a profile that is nowhere: where it was looked for") {
  test::Home home;
  home.environment = {"XDG_CONFIG_HOME=" + home.path() + "/config"};
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"nothing-like-it"}, {"up", "nothing-like-it"}, {"check", "nothing-like-it"}}) {
    const auto result = home.run(words);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    // How the paths are folded depends on their lengths.
    std::string text;
    for (const auto& word : split(result.err, '\n')) text += std::string(qlaunch::trim(word)) + ' ';
    CHECK(contains(text, "looked for nothing-like-it.toml in `.`, `" + home.path() +
                             "/config/qlaunch/profiles`"));
  }
}

TEST_CASE("cli: color is a wish") {
  test::Home home;
  const std::string escape = "\x1b[";
  CHECK(!contains(home.run({"--help"}).out, escape));
  CHECK(contains(home.run({"--help", "--color", "always"}).out, escape));
  CHECK(contains(home.run({"status", "nobody", "--color=always"}).err, escape));
  CHECK(!contains(home.run({"--color", "never", "status", "nobody"}).err, escape));
}

TEST_CASE("cli: the schema is JSON") {
  const test::Home home;
  const auto result = home.run({"schema"});
  CHECK(result.code == 0);
  const auto schema = json::parse(result.out);
  CHECK(schema.at("$schema") == "https://json-schema.org/draft/2020-12/schema");
  CHECK(schema.at("properties").contains("machine"));
}

TEST_CASE("cli: a reader that goes away is no failure, a full disk is") {
  const test::Home home;
  CHECK(run_into(home, "schema", "| true") == 0);
  CHECK(run_into(home, "list --json", ">/dev/full") == 1);
  CHECK(run_into(home, "list --json", ">&-") == 1);
  // Messages that nobody can read change nothing.
  CHECK(run_into(home, "list", "2>&-") == 0);
}

TEST_CASE("cli: what --json prints is what the manuals say") {
  const test::Home home;
  REQUIRE(home.run({"up", "hello", "--quiet"}).code == 0);
  const auto listed = documented_keys(home.run({"list", "--help"}).out);
  const auto list = json::parse(home.run({"list", "--json"}).out);
  REQUIRE(list.size() == 1);
  // Of a forward, described in the same item, only its own name is a key here.
  CHECK(keys_of(list[0]) == listed);
  CHECK(list[0].at("name") == "hello");
  CHECK(list[0].at("state") == "running");
  CHECK(list[0].at("pid").is_number_integer());
  CHECK(list[0].at("uptime").is_number());
  CHECK(list[0].at("forwards") == json::array());

  auto status_keys = documented_keys(home.run({"status", "--help"}).out);
  status_keys.insert(listed.begin(), listed.end());
  const auto status = json::parse(home.run({"status", "hello", "--json"}).out);
  CHECK(keys_of(status) == status_keys);
  CHECK(status.at("qemu_state") == "running");
  // What `up` prints is the same, but for what changes with time.
  auto up = json::parse(home.run({"up", "hello", "--json"}).out);
  CHECK(keys_of(up) == status_keys);
  CHECK(up.at("pid") == status.at("pid"));
  // A single value is the one in the object.
  CHECK(home.run({"status", "hello", "--get", "pid"}).out == status.at("pid").dump() + "\n");

  const auto findings = json::parse(home.run({"doctor", "--json"}).out);
  REQUIRE(!findings.empty());
  CHECK(keys_of(findings[0]) == documented_keys(home.run({"doctor", "--help"}).out));
  home.write("wrong.toml", "wrong = 1\n");
  const auto wrong = home.run({"check", "wrong.toml", "--json"});
  CHECK(wrong.code == 2);
  CHECK(keys_of(json::parse(wrong.out).at(0)) ==
        documented_keys(home.run({"check", "--help"}).out));
}

TEST_CASE("cli: up says how to reach the VM, and that it runs already") {
  const test::Home home;
  const auto first = home.run({"up", "hello"});
  CHECK(first.code == 0);
  // Progress is for terminals.
  CHECK(!contains(first.err, "waiting"));
  const auto lines = split(first.out, '\n');
  REQUIRE(lines.size() == 4);
  CHECK(lines[0].starts_with("hello runs (pid "));
  CHECK(lines[0].ends_with(", 16 MiB)"));
  CHECK(lines[1] == "    console  qlaunch console hello");
  CHECK(lines[2] == "    stop     qlaunch shutdown hello");
  const auto pid = home.run({"status", "hello", "--get", "pid"}).out;
  const auto again = home.run({"hello"});
  CHECK(again.code == 0);
  CHECK(again.out == "hello already runs (pid " + std::string(qlaunch::trim(pid)) + ")\n");
}

TEST_CASE("cli: the table of VMs fits 60 columns") {
  test::Home home;
  home.write(
      "a-name-of-some-length.toml",
      "extends = \"hello\"\nname = \"a-name-of-some-length\"\n[[network]]\nname = \"net0\"\n"
      "mode = \"user\"\nforward = [\"auto:22\", \"auto:80\", \"auto:443\", \"auto:8080\"]\n");
  REQUIRE(home.run({"up", "a-name-of-some-length", "--quiet"}).code == 0);
  const auto wide = home.run({"list"}).out;
  home.environment = {"COLUMNS=60"};
  const auto narrow = home.run({"list"}).out;
  CHECK(widest(narrow) <= 60);
  CHECK(contains(narrow, "a-name-of-some-length"));
  CHECK(contains(narrow, "running"));
  // To a file nothing is left out.
  home.environment = {"COLUMNS"};
  const auto whole = home.run({"list"}).out;
  for (const auto* text : {"ACCEL", "PID", "->22", "->80", "->443", "->8080"})
    CHECK(contains(whole, text));
  CHECK(widest(wide) <= 80);
}

TEST_CASE("cli: a record that cannot be read hides no other VM") {
  const test::Home home;
  REQUIRE(home.run({"up", "hello", "--quiet"}).code == 0);
  home.write("../data/broken/vm.json", "{");
  const auto list = home.run({"list", "--json"});
  CHECK(list.code == 1);
  CHECK(contains(list.err, "VM `broken` is left out: "));
  const auto vms = json::parse(list.out);
  REQUIRE(vms.size() == 1);
  CHECK(vms[0].at("name") == "hello");
  CHECK(contains(home.run({"status"}).out, "hello"));
}

TEST_CASE("cli: log follows a VM to its end") {
  const test::Home home;
  REQUIRE(home.run({"up", "hello", "--quiet"}).code == 0);
  const auto follower = home.start({"log", "hello", "--follow"});
  const auto seen = [&] { return qlaunch::try_read_file(home.path() + "/out").value_or(""); };
  CHECK(test::eventually([&] { return contains(seen(), "hello from qlaunch"); }));
  home.run_with_input({"console", "hello"}, "typed later");
  CHECK(test::eventually([&] { return contains(seen(), "typed later"); }));
  CHECK(home.run({"kill", "hello"}).code == 0);
  const auto status =
      qlaunch::reap(follower, std::chrono::steady_clock::now() + std::chrono::seconds(30));
  REQUIRE(status.has_value());
  CHECK(*status == 0);
  CHECK(home.run({"log", "hello"}).out == seen());
}

TEST_CASE("cli: Ctrl-C ends the waiting, not the VM") {
  const test::Home home;
  home.write("silent.toml",
             "extends = \"hello\"\nname = \"silent\"\n[ready]\nwhen = \"serial:never said\"\n");
  const auto up = home.start({"up", "silent"});
  CHECK(test::eventually([&] {
    return contains(home.run({"status", "silent", "--get", "state"}).out, "running");
  }));
  qlaunch::send_signal(up.id, SIGINT);
  const auto status =
      qlaunch::reap(up, std::chrono::steady_clock::now() + std::chrono::seconds(30));
  REQUIRE(status.has_value());
  CHECK(WEXITSTATUS(*status) == 130);
  const auto said = qlaunch::try_read_file(home.path() + "/err").value_or("");
  CHECK(contains(said, "silent goes on running; `qlaunch shutdown silent` stops it"));
  CHECK(home.run({"status", "silent", "--get", "state"}).out == "running\n");
}

TEST_CASE("cli: a guest that is not ready in time goes on, and its last words are shown") {
  const test::Home home;
  home.write("silent.toml",
             "extends = \"hello\"\nname = \"silent\"\n[ready]\nwhen = \"serial:never said\"\n");
  const auto result = home.run({"up", "silent", "--timeout", "2s"});
  CHECK(result.code == 4);
  CHECK(result.out.empty());
  CHECK(contains(result.err, "never said"));
  CHECK(contains(result.err, "hello from qlaunch"));
  CHECK(contains(result.err, "goes on running"));
  CHECK(home.run({"status", "silent", "--get", "state"}).out == "running\n");
}

TEST_CASE("cli: several VMs stop together, and one that is missing does not stop the others") {
  const test::Home home;
  for (const auto* name : {"one", "two"})
    home.write(std::string(name) + ".toml",
               "extends = \"hello\"\nname = \"" + std::string(name) + "\"\n");
  REQUIRE(home.run({"up", "one", "two", "--quiet"}).code == 0);
  const auto result = home.run({"shutdown", "one", "nobody", "two", "one"});
  CHECK(result.code == 3);
  CHECK(contains(result.err, "`nobody`"));
  CHECK(contains(result.out, "one: "));
  CHECK(contains(result.out, "two: "));
  CHECK(split(result.out, '\n').size() == 3);
  CHECK(home.run({"list", "-q"}).out == "one\ntwo\n");
  CHECK(home.run({"status", "one", "--get", "state"}).out == "stopped\n");
  CHECK(home.run({"status", "two", "--get", "state"}).out == "stopped\n");
}
