// SPDX-License-Identifier: MIT
#include "support/run.hpp"

#include "core/text.hpp"
#include "host/files.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

namespace fs = std::filesystem;

std::string binary() {
  const char* path = std::getenv("QLAUNCH_BIN");
  REQUIRE_MESSAGE(path != nullptr, "QLAUNCH_BIN names the binary under test");
  return path;
}

Home::Home() {
  std::string path = "/tmp/qlaunch test.XXXXXX";
  REQUIRE(mkdtemp(path.data()) != nullptr);
  path_ = path;
  fs::create_directory(path_ + "/files");
}

Home::~Home() {
  try {
    std::vector<std::string> kill{"kill"};
    for (const auto& name : qlaunch::split(run({"list", "-q"}).out, '\n')) {
      if (!name.empty() &&
          contains(run({"status", name, "--get", "state"}).out, "stopped") == false)
        run({"kill", name});
    }
    // The keeper goes last, a moment after the command that ended its VM.
    CHECK_MESSAGE(eventually([&] { return processes().empty(); }, std::chrono::seconds(30)),
                  "still running: " << qlaunch::join(processes(), "; "));
    CHECK_MESSAGE(runtime_files().empty(), "left behind: " << qlaunch::join(runtime_files(), " "));
    for (const auto& process : processes()) ::kill(std::atoi(process.c_str()), SIGKILL);
    fs::remove_all(path_);
  } catch (const std::exception& error) {
    FAIL_CHECK("cannot clean up: " << error.what());
  }
}

std::string Home::write(const std::string& name, const std::string& content) const {
  const auto path = file(name);
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

qlaunch::SpawnOptions Home::options(const std::vector<std::string>& words) const {
  qlaunch::SpawnOptions options;
  options.argv = words;
  options.argv.insert(options.argv.begin(), binary());
  options.environment = {"QLAUNCH_HOME=" + path_, "DISPLAY", "WAYLAND_DISPLAY", "COLUMNS=80",
                         "NO_COLOR=1"};
  options.environment.insert(options.environment.end(), environment.begin(), environment.end());
  options.working_folder = path_ + "/files";
  return options;
}

namespace {

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

Result Home::run(const std::vector<std::string>& words, std::chrono::milliseconds timeout) const {
  const auto captured = qlaunch::run_and_capture(options(words), timeout, std::size_t{4} << 20);
  return {exit_code(captured.status), captured.out, captured.err};
}

Result Home::run_with_input(const std::vector<std::string>& words, const std::string& input) const {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  qlaunch::UniqueFd reading(ends[0]);
  qlaunch::UniqueFd writing(ends[1]);
  qlaunch::write_all(writing.get(), input, "the pipe");
  writing.reset();
  auto how = options(words);
  how.descriptors[0] = reading.get();
  const auto captured =
      qlaunch::run_and_capture(how, std::chrono::minutes(2), std::size_t{4} << 20);
  return {exit_code(captured.status), captured.out, captured.err};
}

qlaunch::Child Home::start(const std::vector<std::string>& words) const {
  auto how = options(words);
  how.stdout_path = path_ + "/out";
  how.stderr_path = path_ + "/err";
  return qlaunch::spawn(how);
}

std::vector<std::string> Home::processes() const {
  const std::string mark = "QLAUNCH_HOME=" + path_;
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto environ = qlaunch::try_read_file(entry.path().string() + "/environ");
    if (!environ || environ->find(mark) == std::string::npos) continue;
    const auto status = qlaunch::try_read_file(entry.path().string() + "/status");
    if (!status || status->find("State:\tZ") != std::string::npos) continue;
    auto line = qlaunch::try_read_file(entry.path().string() + "/cmdline").value_or("");
    for (char& character : line) {
      if (character == '\0') character = ' ';
    }
    found.push_back(pid + ' ' + line);
  }
  return found;
}

std::vector<std::string> Home::runtime_files() const {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(path_ + "/run", ignored))
    found.push_back(entry.path().string());
  return found;
}

bool eventually(const std::function<bool()>& fact, std::chrono::milliseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!fact()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    poll(nullptr, 0, 10);
  }
  return true;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace test
