// SPDX-License-Identifier: MIT
#include "cli/log.hpp"

#include "cli/harmless.hpp"
#include "cli/options.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "host/files.hpp"
#include "vm/catalog.hpp"
#include "vm/journal.hpp"
#include "vm/live.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

/// The log that is meant: `virtiofsd` is enough where there is only one share.
LogFile find_log(const std::string& vm, const std::string& word) {
  const auto logs = log_files(vm);
  std::vector<std::string> names, similar;
  for (const auto& log : logs) {
    if (log.name == word) return log;
    names.push_back(log.name);
    if (log.name.starts_with(word + '-')) similar.push_back(log.name);
  }
  if (similar.size() == 1) return find_log(vm, similar.front());
  StateError error("VM " + in_backticks(vm) + " has no log " + in_backticks(word) +
                   (word == "serial" ? " yet" : ""));
  if (!similar.empty()) {
    error.help("there are " + enumerate(similar));
  } else if (names.empty()) {
    error.help("logs are written from its first start on: `qlaunch up " + shell_quote(vm) + "`");
  } else {
    if (const auto near = nearest(word, names))
      error.help("did you mean " + in_backticks(*near) + "?");
    error.help("there are " + enumerate(names));
  }
  throw error;
}

/// The file from its beginning, and later whatever is new in it.
class LogReader {
 public:
  LogReader(const LogFile& log, const Terminal& terminal)
      : terminal_(terminal),
        raw_(!terminal.out_is_terminal()),
        file_(open(log.path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (!file_) throw system_error("cannot read " + in_backticks(log.path), errno);
  }

  void print_new() {
    start_over_if_cut();
    for (;;) {
      const auto got = read(file_.get(), buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw system_error("cannot read the log", errno);
      if (got == 0) return;
      const std::string_view bytes(buffer_.data(), static_cast<std::size_t>(got));
      terminal_.print(raw_ ? std::string(bytes) : harmless_.feed(bytes));
    }
  }

  void finish() { terminal_.print(harmless_.finish()); }

 private:
  /// A new start of the VM may begin the log anew.
  void start_over_if_cut() {
    struct stat status {};
    const auto position = lseek(file_.get(), 0, SEEK_CUR);
    if (fstat(file_.get(), &status) == 0 && status.st_size < position)
      lseek(file_.get(), 0, SEEK_SET);
  }

  const Terminal& terminal_;
  bool raw_;
  UniqueFd file_;
  Harmless harmless_;
  std::array<char, 65536> buffer_{};
};

/// Until QEMU ends; what it wrote last is read by the caller.
void follow(LogReader& reader, const std::string& path, const LiveRecord& live) {
  const UniqueFd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch || inotify_add_watch(watch.get(), path.c_str(), IN_MODIFY) < 0)
    throw system_error("cannot follow " + in_backticks(path), errno);
  const auto qemu = open_pidfd(live.qemu);
  std::array<char, 4096> events{};
  for (;;) {
    // After the watch is there: nothing written in between is missed.
    reader.print_new();
    if (!qemu) return;
    std::array<pollfd, 3> wanted{{{.fd = watch.get(), .events = POLLIN, .revents = 0},
                                  {.fd = qemu.get(), .events = POLLIN, .revents = 0},
                                  // Only errors: the reader of our output has gone.
                                  {.fd = STDOUT_FILENO, .events = 0, .revents = 0}}};
    if (poll(wanted.data(), wanted.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw system_error("cannot wait for the log", errno);
    }
    if (wanted[1].revents != 0) return;
    if ((wanted[2].revents & (POLLERR | POLLHUP)) != 0) throw OutputClosed{};
    while (read(watch.get(), events.data(), events.size()) > 0) {
    }
  }
}

}  // namespace

void add_log(CLI::App& app, LogOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_word(app, options.log, "LOG", "serial (the default), qemu, events, virtiofsd, swtpm", false);
  add_flag(app, options.follow, "-f,--follow", "go on until the VM ends");
}

int log(const LogOptions& options, Terminal& terminal) {
  const auto name = find_vm(options.vm);
  const auto file = find_log(name, options.log);
  LogReader reader(file, terminal);
  reader.print_new();
  if (options.follow) {
    const auto live = read_live(name);
    if (live && alive(live->qemu)) follow(reader, file.path, *live);
    reader.print_new();
  }
  reader.finish();
  return 0;
}

}  // namespace qlaunch
