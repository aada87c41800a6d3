// SPDX-License-Identifier: MIT
#include "cli/events.hpp"

#include "cli/event_words.hpp"
#include "cli/options.hpp"
#include "core/quote.hpp"
#include "host/paths.hpp"
#include "vm/catalog.hpp"
#include "vm/follow.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

/// Whole lines only: the last one may still be on its way.
class EventReader {
 public:
  EventReader(const std::string& path, bool json, const Terminal& terminal)
      : file_(path), json_(json), terminal_(terminal) {}

  void print_new() {
    for (auto bytes = file_.read_more(); !bytes.empty(); bytes = file_.read_more()) {
      rest_ += bytes;
      std::string out;
      std::size_t begin = 0;
      for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
        out += shown(rest_.substr(begin, end - begin));
        begin = end + 1;
      }
      rest_.erase(0, begin);
      terminal_.print(out);
    }
  }

 private:
  std::string shown(const std::string& line) const {
    const auto event = read_event(line);
    if (!event) return {};
    if (json_) return line + '\n';
    // Seconds will do for people.
    auto time = event->time.substr(0, event->time.find('.'));
    std::replace(time.begin(), time.end(), 'T', ' ');
    return time + "  " +
           (event->known ? event->words + " (" + event->event + ')'
                         : event->event + ' ' + event->words) +
           '\n';
  }

  GrowingFile file_;
  bool json_;
  const Terminal& terminal_;
  std::string rest_;
};

}  // namespace

void add_events(CLI::App& app, EventsOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_flag(app, options.follow, "-f,--follow", "go on until the VM ends");
  add_json(app, options.json, "print an object a line; the keys are below");
}

int events(const EventsOptions& options, Terminal& terminal) {
  const auto name = find_vm(options.vm);
  const auto path = vm_paths(state_roots(), name).state + "/events.jsonl";
  if (file_fact(path).kind == FileFact::Kind::missing)
    throw StateError("nothing has happened to VM " + in_backticks(name) + " yet")
        .help("events are written from its first start on: `qlaunch up " + shell_quote(name) + '`');
  EventReader reader(path, options.json, terminal);
  const auto live = options.follow ? read_live(name) : std::nullopt;
  if (live && alive(live->qemu)) {
    follow_file(path, *live, [&] { reader.print_new(); });
  } else {
    reader.print_new();
  }
  return 0;
}

}  // namespace qlaunch
