// SPDX-License-Identifier: MIT
#include "ssh/parts.hpp"

#include "core/text.hpp"
#include "host/files.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ssh_test {

namespace fs = std::filesystem;

void take_key(const test::Home& home) {
  const auto path = home.write(".ssh/id_ed25519", qlaunch::read_file(micro::folder() + "/ssh_key"));
  REQUIRE(chmod(path.c_str(), 0600) == 0);
}

micro::Recipe recipe(const std::string& body, const std::string& words) {
  micro::Recipe made;
  made.body = body;
  made.words = words;
  return made;
}

test::Result run(const test::Home& home, const std::vector<std::string>& argv,
                 const std::string& folder) {
  auto options = home.program(argv);
  if (!folder.empty()) options.working_folder = folder;
  const auto done =
      qlaunch::run_and_capture(options, std::chrono::minutes(1), std::size_t{4} << 20);
  return {WIFEXITED(done.status) ? WEXITSTATUS(done.status) : 128 + WTERMSIG(done.status), done.out,
          done.err};
}

std::string host_key() {
  const auto line = qlaunch::read_file(micro::folder() + "/known_hosts");
  return std::string(qlaunch::trim(line.substr(line.find(' ') + 1)));
}

std::vector<std::string> shared_connections(const test::Home& home) {
  std::vector<std::string> found;
  for (const auto& path : home.runtime_files()) {
    const auto name = fs::path(path).filename().string();
    if (name.starts_with("ssh-") && fs::is_socket(path)) found.push_back(path);
  }
  return found;
}

void end_shared(const test::Home& home) {
  for (const auto& path : shared_connections(home))
    CHECK(run(home, {"ssh", "-F", "none", "-S", path, "-O", "exit", "x"}).code == 0);
  CHECK(test::eventually([&] { return shared_connections(home).empty(); }));
  // With dropbear there is none, and that is remembered as long as the VM runs.
  fs::remove(home.path() + "/run/box/ssh.unshared");
}

Fed::Fed(const test::Home& home, const std::vector<std::string>& argv, const std::string& name)
    : path_(home.path() + '/' + name) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const qlaunch::UniqueFd reading(ends[0]);
  input_.reset(ends[1]);
  auto options = home.program(argv);
  options.descriptors[0] = reading.get();
  options.stdout_path = path_;
  options.stderr_path = path_;
  child_ = qlaunch::spawn(options);
}

void Fed::feed(const std::string& text) {
  qlaunch::write_all(input_.get(), text, "the pipe");
}

std::string Fed::out() const {
  return qlaunch::try_read_file(path_).value_or("");
}

int Fed::end() {
  const auto status =
      qlaunch::reap(child_, std::chrono::steady_clock::now() + std::chrono::seconds(30));
  if (!status) {
    qlaunch::kill_and_reap(child_);
    return -1;
  }
  return WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
}

}  // namespace ssh_test
