// SPDX-License-Identifier: MIT
#include "cli/cli.hpp"

#include "cli/failure.hpp"
#include "cli/help.hpp"
#include "cli/parse.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "vm/catalog.hpp"
#include "vm/ephemeral.hpp"

#include <csignal>
#include <exception>

#include <fcntl.h>

namespace qlaunch {
namespace {

constexpr std::string_view version = QLAUNCH_VERSION;

/// A descriptor that the caller closed would be taken by the first socket opened, and messages
/// would go into that. Opened the wrong way round, so that using it is an error still.
void occupy_standard_streams() {
  for (const int fd : {0, 1, 2}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) std::abort();
  }
}

/// `word` is neither a command nor a file or name of a profile; `error` says where it was sought.
Error unknown_word(const std::string& word, const Error& error) {
  if (const auto advice = advice_for(word); !advice.empty())
    return UsageError("there is no command " + in_backticks(word)).help(std::string(advice));
  if (word.find('/') != std::string::npos || word.ends_with(".toml")) return error;
  auto out = UsageError("there is no command and no profile " + in_backticks(word));
  auto profiles = known_profiles();
  for (auto& vm : known_vms()) profiles.push_back(std::move(vm));
  std::vector<std::string> near;
  const auto command = nearest(word, command_words());
  const auto profile = nearest(word, profiles);
  const auto distance = [&](const auto& found) { return edit_distance(word, *found); };
  if (command && (!profile || distance(command) <= distance(profile))) near.push_back(*command);
  if (profile && (!command || distance(profile) <= distance(command))) near.push_back(*profile);
  for (auto& each : near) each = "`qlaunch " + each + "`";
  if (!near.empty()) {
    out.help("did you mean " + enumerate(near, "or") + "?");
  } else {
    for (const auto& help : error.diagnostics().front().help) out.help(help);
  }
  return std::move(out).help("`qlaunch --help` shows the commands");
}

/// `qlaunch --json list`: understood, and explained.
[[noreturn]] void refuse_early_option(const std::vector<std::string>& words) {
  for (const auto& word : words) {
    if (find_command(word) == nullptr) continue;
    throw UsageError("the options of a command stand behind it")
        .help("`qlaunch " + word + ' ' + words.front() + "`");
  }
  throw UsageError("there is no option " + in_backticks(words.front()))
      .help("`qlaunch --help` shows the commands");
}

int show_help(const std::vector<std::string>& words, const Globals& globals) {
  const Terminal terminal(globals);
  if (words.empty()) {
    terminal.print(overview(terminal));
    return 0;
  }
  const auto* command = find_command(words.front());
  if (command == nullptr) throw unknown_word(words.front(), UsageError("there is no command"));
  terminal.print(help_of(*command, globals));
  return 0;
}

int run_command(const CliCommand& command, const std::vector<std::string>& words,
                Globals& globals) {
  const auto parsed = parse_command(command, words, globals);
  Terminal terminal(globals);
  if (parsed.help.empty()) {
    // Of no use to a keeper, whose matter it may be.
    if (command.name != "keeper") tidy_ephemeral();
    return parsed.run(terminal);
  }
  terminal.print(parsed.help);
  return 0;
}

int run_words(const std::vector<std::string>& all, Globals& globals) {
  auto words = parse_globals(all);
  globals = words.globals;
  const Terminal terminal(globals);
  if (words.version) {
    terminal.print("qlaunch " + std::string(version) + '\n');
    return 0;
  }
  if (words.help) return show_help({}, globals);
  if (words.rest.empty()) {
    terminal.say(overview(terminal));
    return static_cast<int>(ExitCode::usage);
  }
  const auto& first = words.rest.front();
  if (first.starts_with('-') && first != "-") refuse_early_option(words.rest);
  const std::vector<std::string> behind(words.rest.begin() + 1, words.rest.end());
  if (first == "help") return show_help(behind, globals);
  if (const auto* command = find_command(first)) return run_command(*command, behind, globals);
  try {
    find_profile(first);
  } catch (const Error& error) {
    throw unknown_word(first, error);
  }
  return run_command(*find_command("up"), words.rest, globals);
}

}  // namespace

int cli_main(int argc, char** argv) {
  occupy_standard_streams();
  // A reader that goes away is an error of the write, not the end of the process.
  std::signal(SIGPIPE, SIG_IGN);
  Globals globals;
  try {
    return run_words({argv + 1, argv + argc}, globals);
  } catch (const OutputClosed&) {
    return 0;
  } catch (...) {
    const auto error = as_error(std::current_exception());
    Terminal(globals).complain(error);
    return static_cast<int>(error.code());
  }
}

}  // namespace qlaunch
