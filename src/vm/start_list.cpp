// SPDX-License-Identifier: MIT
#include "vm/start_list.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

std::string list_path(const std::string& runtime) {
  return runtime + "/starting";
}

void end_process(const ProcessId& process) {
  const auto pidfd = open_pidfd(process);
  if (!pidfd) return;
  send_signal(process, SIGKILL);
  // Long only for one that waits for a disk or a network share.
  wait_exit(pidfd.get(), std::chrono::steady_clock::now() + std::chrono::seconds(10));
}

}  // namespace

UniqueFd begin_start_list(const std::string& runtime) {
  UniqueFd file(open(list_path(runtime).c_str(),
                     O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  const auto self = try_read_file("/proc/self/stat");
  const auto text = boot_id() + '\n' + self.value_or("");
  if (file && write(file.get(), text.data(), text.size()) < 0) file.reset();
  return file;
}

std::vector<ProcessId> read_start_list(const std::string& runtime) {
  std::vector<ProcessId> all;
  const auto text = try_read_file(list_path(runtime));
  if (!text) return all;
  const auto lines = split(*text, '\n');
  // Of another boot: the pids are other processes' now.
  if (lines.front() != boot_id()) return all;
  for (const auto& line : lines) {
    if (const auto process = process_in_stat(line)) all.push_back(*process);
  }
  return all;
}

void end_start(const std::string& runtime) {
  // One that is just being started may have been added by a starter that has ended since.
  for (std::size_t done = 0;;) {
    const auto all = read_start_list(runtime);
    if (done >= all.size()) return;
    for (; done < all.size(); ++done) end_process(all[done]);
  }
}

}  // namespace qlaunch
