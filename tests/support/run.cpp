// SPDX-License-Identifier: MIT
#include "support/run.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/files.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <thread>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

namespace fs = std::filesystem;

namespace {

constexpr unsigned ordinary_user = 54321;

/// The binary and the shipped profiles beside it, in a folder that is open to all: the build folder
/// may lie where only root comes.
class Copy {
 public:
  explicit Copy(const fs::path& binary) {
    std::string folder = "/tmp/qlaunch-binary.XXXXXX";
    REQUIRE(mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    fs::permissions(folder_, fs::perms{0755});
    fs::create_directory(folder_ / "bin");
    fs::copy_file(binary, folder_ / "bin" / "qlaunch");
    for (const std::string part : {"fetch", "seed"}) {
      const auto name = "qlaunch-" + part;
      if (const auto helper = binary.parent_path() / part / name; fs::exists(helper))
        fs::copy_file(helper, folder_ / "bin" / name);
    }
    fs::create_directory(folder_ / "profiles");
    for (const auto& entry :
         fs::directory_iterator(binary.parent_path().parent_path() / "profiles")) {
      if (entry.path().extension() == ".toml")
        fs::copy_file(entry.path(), folder_ / "profiles" / entry.path().filename());
    }
  }
  ~Copy() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  std::string binary() const { return folder_ / "bin" / "qlaunch"; }

 private:
  fs::path folder_;
};

}  // namespace

unsigned user() {
  return geteuid() == 0 ? ordinary_user : geteuid();
}

std::string binary() {
  const char* path = std::getenv("QLAUNCH_BIN");
  REQUIRE_MESSAGE(path != nullptr, "QLAUNCH_BIN names the binary under test");
  if (geteuid() != 0) return path;
  static const Copy copy{fs::path(path)};
  return copy.binary();
}

Home::Home() {
  std::string path = "/tmp/qlaunch test.XXXXXX";
  REQUIRE(mkdtemp(path.data()) != nullptr);
  path_ = path;
  fs::create_directory(path_ + "/files");
  for (const auto& folder : {path_, path_ + "/files"})
    REQUIRE(chown(folder.c_str(), user(), user()) == 0);
}

Home::~Home() {
  try {
    for (const auto& name : qlaunch::split(run({"list", "-q"}).out, '\n')) {
      if (!name.empty() && !contains(run({"status", name, "--get", "state"}).out, "stopped"))
        run({"kill", name});
    }
    // The keeper goes last, a moment after the command that ended its VM.
    CHECK_MESSAGE(eventually([&] { return processes().empty(); }, std::chrono::seconds(30)),
                  "still running: " << qlaunch::join(processes(), "; "));
    CHECK_MESSAGE(runtime_files().empty(), "left behind: " << qlaunch::join(runtime_files(), " "));
    for (const auto& process : processes()) ::kill(std::atoi(process.c_str()), SIGKILL);
    fs::remove_all(path_);
  } catch (const std::exception& error) {
    FAIL_CHECK("cannot clean up: " << std::string(error.what()));
  }
}

std::string Home::write(const std::string& name, const std::string& content) const {
  const auto path = file(name);
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
  for (const auto& made : {fs::path(path), fs::path(path).parent_path()})
    REQUIRE(chown(made.c_str(), user(), user()) == 0);
  return path;
}

qlaunch::SpawnOptions Home::program(std::vector<std::string> argv) const {
  qlaunch::SpawnOptions options;
  options.argv = std::move(argv);
  if (geteuid() == 0) {
    const auto id = std::to_string(user());
    options.argv.insert(options.argv.begin(),
                        {"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "--"});
  }
  options.environment = {"QLAUNCH_HOME=" + path_,
                         "HOME=" + path_ + "/files",
                         "DISPLAY",
                         "WAYLAND_DISPLAY",
                         "COLUMNS=80",
                         "NO_COLOR=1"};
  options.environment.insert(options.environment.end(), environment.begin(), environment.end());
  options.working_folder = path_ + "/files";
  return options;
}

qlaunch::SpawnOptions Home::options(const std::vector<std::string>& words) const {
  auto argv = words;
  argv.insert(argv.begin(), binary());
  return program(std::move(argv));
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
  auto how = options(words);
  how.descriptors[0] = reading.get();
  // A pipe takes 64 KiB: what is longer has to be written while the command reads.
  std::thread writer([&] {
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    try {
      qlaunch::write_all(writing.get(), input, "the pipe");
    } catch (const qlaunch::Error&) {  // NOLINT(bugprone-empty-catch)
      // The command need not read all of it.
    }
    writing.reset();
  });
  qlaunch::Captured captured;
  std::exception_ptr failure;
  try {
    captured = qlaunch::run_and_capture(how, std::chrono::minutes(2), std::size_t{4} << 20);
  } catch (...) {
    failure = std::current_exception();
  }
  // What was not read then fails the writer.
  reading.reset();
  writer.join();
  if (failure) std::rethrow_exception(failure);
  return {exit_code(captured.status), captured.out, captured.err};
}

qlaunch::Child Home::start(const std::vector<std::string>& words) const {
  auto how = options(words);
  how.stdout_path = path_ + "/out";
  how.stderr_path = path_ + "/err";
  return qlaunch::spawn(how);
}

std::vector<std::string> Home::processes() const {
  // Some tests take QLAUNCH_HOME away.
  const std::array<std::string, 2> marks{"QLAUNCH_HOME=" + path_, "HOME=" + path_ + "/files"};
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto environ = qlaunch::try_read_file(entry.path().string() + "/environ");
    if (!environ || std::none_of(marks.begin(), marks.end(),
                                 [&](const auto& mark) { return contains(*environ, mark); }))
      continue;
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
