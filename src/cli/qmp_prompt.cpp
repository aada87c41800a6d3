// SPDX-License-Identifier: MIT
#include "cli/qmp_prompt.hpp"

#include "cli/event_words.hpp"
#include "cli/failure.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/paths.hpp"
#include "vm/file_watch.hpp"
#include "vm/follow.hpp"
#include "vm/live.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr std::size_t longest_history = 1000;

/// One file per VM, for this user alone: arguments may be secrets.
class HistoryFile {
 public:
  explicit HistoryFile(std::string path) : path_(std::move(path)) {}

  std::vector<std::string> read() const {
    std::vector<std::string> lines;
    for (auto& line : split(try_read_file(path_).value_or(""), '\n')) {
      if (!line.empty()) lines.push_back(std::move(line));
    }
    if (lines.size() <= longest_history) return lines;
    lines.erase(lines.begin(), lines.end() - longest_history / 2);
    write_file_atomic(path_, join(lines, "\n") + '\n', 0600, Durability::quick);
    return lines;
  }

  void add(const std::string& line) const {
    const UniqueFd file(open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    const auto text = line + '\n';
    // A history that cannot be written (a full disk) is not worth an error.
    if (file && write(file.get(), text.data(), text.size()) < 0) return;
  }

 private:
  std::string path_;
};

/// What happens to the VM from now on, as the keeper writes it down, and its end.
class News {
 public:
  explicit News(const LiveRecord& live)
      : live_(live),
        path_(live.plan.paths.state + "/events.jsonl"),
        watch_(path_),
        file_(path_),
        qemu_(open_pidfd(live.qemu)),
        both_(epoll_create1(EPOLL_CLOEXEC)) {
    while (!file_.read_more().empty()) {
    }
    for (const int fd : {watch_.fd(), qemu_.get()}) {
      epoll_event event{};
      event.events = EPOLLIN;
      if (fd >= 0 && epoll_ctl(both_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        throw system_error("cannot wait for events", errno);
    }
  }

  /// Readable when there is something.
  int fd() const { return both_.get(); }
  bool ended() const { return !qemu_ || wait_exit(qemu_.get(), std::chrono::steady_clock::now()); }

  std::string lines() {
    if (ended()) {
      // Its keeper's last word is how it ended.
      const auto keeper = open_pidfd(live_.keeper);
      if (keeper)
        wait_exit(keeper.get(), std::chrono::steady_clock::now() + std::chrono::seconds(5));
    }
    watch_.clear();
    for (auto bytes = file_.read_more(); !bytes.empty(); bytes = file_.read_more()) rest_ += bytes;
    std::string out;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n')) {
      if (const auto event = read_event(rest_.substr(0, end)))
        out += "# " + event->event + (event->words.empty() ? "" : ": " + event->words) + '\n';
      rest_.erase(0, end + 1);
    }
    return out;
  }

 private:
  const LiveRecord& live_;
  std::string path_;
  FileWatch watch_;
  GrowingFile file_;
  UniqueFd qemu_, both_;
  std::string rest_;
};

std::vector<std::string> starting_with(const std::vector<std::string>& words,
                                       const std::string& start, const std::string& before,
                                       const std::string& behind) {
  std::vector<std::string> out;
  for (const auto& word : words) {
    if (word.starts_with(start)) out.push_back(before + word + behind);
  }
  return out;
}

/// "eject device= id= force=false|true"
std::string usage(const std::string& command, const QmpSchema& schema) {
  std::string text = command;
  for (const auto& argument : schema.arguments(command))
    text += ' ' + argument + '=' + join(schema.values(command, argument), "|");
  return text;
}

/// Words that are for this prompt, not for QEMU; false for others.
bool own_word(const std::string& line, QmpCaller& caller, const Terminal& terminal) {
  const auto words = split(trim(line), ' ');
  if (line.find('{') != std::string::npos || words.size() > 2) return false;
  if (words.front() == "quit" || words.front() == "exit") {
    terminal.say("Ctrl-D leaves; `quit {}` ends the VM at once\n");
    return true;
  }
  if (words.front() != "help") return false;
  if (words.size() == 1) {
    terminal.say("Tab shows the commands, and `help COMMAND` its arguments\n");
  } else if (caller.schema().has(words[1])) {
    terminal.say(usage(words[1], caller.schema()) + '\n');
  } else {
    throw Error("QEMU has no command " + in_backticks(words[1]));
  }
  return true;
}

}  // namespace

Completion complete_qmp(const std::string& before, const QmpSchema& schema) {
  Completion completion;
  const auto last = before.rfind(' ');
  completion.begin = last == std::string::npos ? 0 : last + 1;
  const auto word = before.substr(completion.begin);
  const auto begin = before.find_first_not_of(' ');
  if (begin == std::string::npos || completion.begin <= begin) {
    completion.candidates = starting_with(schema.commands(), word, "", "");
  } else {
    const auto command = before.substr(begin, before.find(' ', begin) - begin);
    if (command == "help") {
      completion.candidates = starting_with(schema.commands(), word, "", "");
      return completion;
    }
    const auto equals = word.find('=');
    if (equals == std::string::npos) {
      // An argument is followed by its value at once.
      completion.candidates = starting_with(schema.arguments(command), word, "", "=");
      std::erase_if(completion.candidates, [&](const auto& candidate) {
        return before.find(' ' + candidate) != std::string::npos;
      });
      return completion;
    }
    const auto key = word.substr(0, equals);
    completion.candidates =
        starting_with(schema.values(command, key), word.substr(equals + 1), key + '=', "");
  }
  if (completion.candidates.size() == 1) completion.candidates.front() += ' ';
  return completion;
}

int run_qmp_prompt(QmpCaller& caller, const Terminal& terminal) {
  const auto live = require_running(caller.vm());
  News news(live);
  const HistoryFile file(vm_paths(state_roots(), caller.vm()).state + "/qmp_history");
  LineEditor editor(caller.vm() + "> ");
  editor.history = file.read();
  editor.other_fd = news.fd();
  std::string last_words;
  editor.other = [&]() -> std::optional<std::string> {
    auto text = news.lines();
    if (!news.ended()) return text;
    last_words = std::move(text);
    return std::nullopt;
  };
  editor.complete = [&](const std::string& before) {
    try {
      return complete_qmp(before, caller.schema());
    } catch (const std::exception&) {
      return Completion{};  // QEMU hangs; the command itself will tell
    }
  };
  terminal.say("Tab completes, `help COMMAND` explains, Ctrl-D leaves\n");
  while (const auto line = editor.read()) {
    if (trim(*line).empty()) continue;
    // As in shells: a line that begins with a space is not kept.
    if (line->front() != ' ' && (editor.history.empty() || editor.history.back() != *line)) {
      editor.history.push_back(*line);
      file.add(*line);
    }
    try {
      if (own_word(*line, caller, terminal)) continue;
      caller.call(caller.read(*line), terminal);
    } catch (const OutputClosed&) {
      throw;
    } catch (...) {
      terminal.complain(as_error(std::current_exception()));
    }
    terminal.say(news.lines());
    if (news.ended()) break;
  }
  if (news.ended()) terminal.say(last_words + caller.vm() + " has ended\n");
  return RawTerminal::signal() != 0 ? 128 + RawTerminal::signal() : 0;
}

}  // namespace qlaunch
