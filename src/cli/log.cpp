// SPDX-License-Identifier: MIT
#include "cli/log.hpp"

#include "cli/harmless.hpp"
#include "cli/options.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "vm/catalog.hpp"
#include "vm/follow.hpp"
#include "vm/journal.hpp"

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
      : terminal_(terminal), raw_(!terminal.out_is_terminal()), file_(log.path) {}

  void print_new() {
    for (auto bytes = file_.read_more(); !bytes.empty(); bytes = file_.read_more())
      terminal_.print(raw_ ? bytes : harmless_.feed(bytes));
  }

  void finish() { terminal_.print(harmless_.finish()); }

 private:
  const Terminal& terminal_;
  bool raw_;
  GrowingFile file_;
  Harmless harmless_;
};

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
  const auto live = options.follow ? read_live(name) : std::nullopt;
  if (live && alive(live->qemu)) {
    follow_file(file.path, *live, [&] { reader.print_new(); });
  } else {
    reader.print_new();
  }
  reader.finish();
  return 0;
}

}  // namespace qlaunch
