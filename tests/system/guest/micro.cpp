// SPDX-License-Identifier: MIT
#include "guest/micro.hpp"

#include "core/text.hpp"
#include "host/files.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include <doctest/doctest.h>

#include <sys/wait.h>

namespace micro {

namespace fs = std::filesystem;
using test::Result;

namespace {

struct Built {
  std::string folder;  // empty: why not stands in `reason`
  std::string reason;
};

/// TOML text of any bytes that TOML can hold.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char character : text) {
    if (character == '"' || character == '\\') out += '\\';
    out += character;
  }
  return out + '"';
}

/// What a script of tests/guests makes and then names on stdout.
Built build(const std::string& script) {
  const char* given = std::getenv("QLAUNCH_MICRO_GUEST");
  if (given == nullptr) return {"", "QLAUNCH_MICRO_GUEST does not name build_micro.sh"};
  qlaunch::SpawnOptions options;
  options.argv = {"/bin/sh", fs::path(given).replace_filename(script).string()};
  const auto made =
      qlaunch::run_and_capture(options, std::chrono::minutes(10), std::size_t{1} << 20);
  if (made.ok()) return {std::string(qlaunch::trim(made.out)), ""};
  const auto said = qlaunch::split(qlaunch::trim(made.err), '\n');
  return {"", said.empty() ? qlaunch::describe_exit(made.status) : said.back()};
}

const Built& built() {
  static const Built result = build("build_micro.sh");
  return result;
}

}  // namespace

std::string profile(const std::string& name, const Recipe& recipe) {
  return "name = " + quoted(name) + "\nmachine.memory = " + quoted(recipe.memory) +
         "\nkernel.image = " + quoted(folder() + '/' + recipe.kernel) +
         "\nkernel.initrd = " + quoted(folder() + "/initrd") + "\nkernel.cmdline = " +
         quoted("console=ttyS0 cryptomgr.notests quiet panic=-1 " + recipe.words) +
         "\ndisplay.type = \"none\"\nready.timeout = \"100s\"\nready.when = " +
         quoted(recipe.ready) + '\n' + recipe.body;
}

const std::string& folder() {
  return built().folder;
}

void skip(const std::string& reason) {
  std::cout << "[skip] " << doctest::getContextOptions()->currentTest->m_name << ": " << reason
            << std::endl;
}

std::string rust_virtiofsd() {
  static const Built result = build("fetch_virtiofsd.sh");
  if (result.folder.empty()) skip(result.reason);
  return result.folder;
}

std::string newer_qemu() {
  static const Built result = build("fetch_qemu10.sh");
  if (result.folder.empty()) skip(result.reason);
  return result.folder;
}

std::string debian() {
  static const Built result = build("build_debian.sh");
  if (result.folder.empty()) skip(result.reason);
  return result.folder;
}

bool skipped() {
  if (!folder().empty()) return false;
  skip(built().reason);
  return true;
}

test::Result as_ordinary_user(const std::string& cases) {
  // Neither the build nor the guest need be where another user may read them.
  constexpr auto script = R"sh(
set -eu
copy=$(mktemp -d /tmp/qlaunch-user.XXXXXX)
trap 'rm -rf "$copy"' EXIT
chmod 755 "$copy"
mkdir "$copy/home" "$copy/guests"
cp "$1" "$copy/tests"
cp "$QLAUNCH_BIN" "$copy/qlaunch"
cp "${QLAUNCH_MICRO_GUEST%/*}"/*micro* "$copy"
cp -r "$2" "$copy/guests"
chown -R 65534:65534 "$copy/home" "$copy/guests"
cd "$copy"
setpriv --reuid 65534 --regid 65534 --groups 65534,100 env HOME="$copy/home" \
  QLAUNCH_BIN="$copy/qlaunch" QLAUNCH_MICRO_GUEST="$copy/build_micro.sh" \
  QLAUNCH_TEST_GUESTS="$copy/guests" "$copy/tests" --test-case="$3"
)sh";
  qlaunch::SpawnOptions options;
  options.argv = {"/bin/sh", "-c", script, "sh", fs::read_symlink("/proc/self/exe").string(),
                  folder(),  cases};
  options.environment = {"XDG_RUNTIME_DIR", "XDG_CACHE_HOME"};
  const auto done =
      qlaunch::run_and_capture(options, std::chrono::minutes(10), std::size_t{1} << 20);
  return {WIFEXITED(done.status) ? WEXITSTATUS(done.status) : 128, done.out, done.err};
}

Guest::Guest(const test::Home& home, std::string name, const Recipe& recipe)
    : home_(home), name_(std::move(name)) {
  home_.write(name_ + ".toml", profile(name_, recipe));
  const auto started = up();
  REQUIRE_MESSAGE(started.code == 0, started.err << home_.run({"log", name_, "serial"}).out);
}

Result Guest::up(const std::vector<std::string>& more) const {
  std::vector<std::string> words{"up", name_ + ".toml"};
  words.insert(words.end(), more.begin(), more.end());
  return home_.run(words);
}

Result Guest::ssh(const std::string& command) const {
  return micro::ssh(get("ssh_port"), command);
}

Result ssh(const std::string& port, const std::string& command) {
  qlaunch::SpawnOptions options;
  options.argv = {"ssh", "-F", "none", "-q", "-T", "-p", port, "-i", folder() + "/ssh_key"};
  for (const auto& option :
       {"UserKnownHostsFile=\"" + folder() + "/known_hosts\"", std::string("HostKeyAlias=micro"),
        std::string("IdentitiesOnly=yes"), std::string("BatchMode=yes"),
        std::string("ConnectTimeout=30"), std::string("ServerAliveInterval=5")})
    options.argv.insert(options.argv.end(), {"-o", option});
  options.argv.insert(options.argv.end(), {"root@127.0.0.1", command});
  options.environment = {"SSH_AUTH_SOCK"};
  const auto done =
      qlaunch::run_and_capture(options, std::chrono::minutes(1), std::size_t{1} << 20);
  return {WIFEXITED(done.status) ? WEXITSTATUS(done.status) : 128, done.out, done.err};
}

std::string Guest::say(const std::string& command) const {
  const auto result = ssh(command);
  CHECK_MESSAGE(result.code == 0, command << ": " << result.out << result.err);
  return std::string(qlaunch::trim(result.out));
}

nlohmann::json Guest::status() const {
  const auto result = home_.run({"status", name_, "--json"});
  REQUIRE_MESSAGE(result.code == 0, result.err);
  return nlohmann::json::parse(result.out);
}

std::string Guest::get(const std::string& key) const {
  const auto result = home_.run({"status", name_, "--get", key});
  REQUIRE_MESSAGE(result.code == 0, result.err);
  return std::string(qlaunch::trim(result.out));
}

Result Guest::wait(const std::string& what, const std::string& timeout) const {
  return home_.run({"wait", name_, "--for", what, "--timeout", timeout});
}

void Guest::shut_down() const {
  const auto stopped = home_.run({"shutdown", name_, "--timeout", "60s"});
  CHECK_MESSAGE(stopped.code == 0, stopped.err);
  CHECK(test::contains(stopped.out, "the guest powered off"));
}

std::string Guest::serial() const {
  return home_.run({"log", name_, "serial"}).out;
}

int Guest::events(const std::string& event) const {
  int count = 0;
  for (const auto& line : qlaunch::split(home_.run({"log", name_, "events"}).out, '\n')) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object() && json.value("event", "") == event) ++count;
  }
  return count;
}

std::string share(const std::string& tag, const std::string& path, const std::string& driver,
                  bool readonly) {
  return "[[share]]\ntag = " + quoted(tag) + "\npath = " + quoted(path) +
         "\ndriver = " + quoted(driver) + "\nreadonly = " + (readonly ? "true" : "false") + '\n';
}

std::string picture(const std::string& folder) {
  std::vector<std::string> lines;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const auto status = entry.symlink_status();
    lines.push_back(entry.path().string() + ' ' + std::to_string(static_cast<int>(status.type())) +
                    ' ' + std::to_string(static_cast<unsigned>(status.permissions())) + ' ' +
                    (entry.is_regular_file() ? qlaunch::read_file(entry.path().string()) : ""));
  }
  std::sort(lines.begin(), lines.end());
  return qlaunch::join(lines, "\n");
}

}  // namespace micro
