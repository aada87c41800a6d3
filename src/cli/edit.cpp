// SPDX-License-Identifier: MIT
#include "cli/edit.hpp"

#include "cli/changes.hpp"
#include "cli/failure.hpp"
#include "cli/options.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"
#include "vm/catalog.hpp"
#include "vm/launch.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>

#include <unistd.h>

namespace qlaunch {
namespace {

struct Target {
  std::string path;
  std::optional<Record> record;  // of the VM that has this profile
};

Target target_of(const std::string& word) {
  const auto vms = known_vms();
  if (std::find(vms.begin(), vms.end(), word) != vms.end()) {
    auto record = require_record(word);
    return {profile_of(record), std::move(record)};
  }
  Target target{find_profile(word), std::nullopt};
  try {
    target.record = read_record(find_vm(target.path));
  } catch (const StateError&) {  // NOLINT(bugprone-empty-catch)
    // It never was a VM.
  }
  return target;
}

/// What the user says, else what most systems have, as words for a shell.
std::string editor(const Terminal& terminal) {
  for (const char* name : {"VISUAL", "EDITOR"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value != '\0') return value;
  }
  if (terminal.in_is_terminal() && terminal.out_is_terminal()) {
    for (const char* program : {"editor", "nano", "vi"}) {
      if (!find_program(program).empty()) return program;
    }
  }
  throw UsageError("there is no editor to open the profile with")
      .help("set EDITOR to the command of one, as in `EDITOR=nano`");
}

/// Its wait status. Ctrl-C and Ctrl-\\ are the editor's keys while it runs.
int run_editor(const std::string& command, const std::string& path) {
  SpawnOptions options;
  // As git and others take it: words may stand behind the program.
  options.argv = {"/bin/sh", "-c", command + " \"$@\"", "sh", path};
  options.descriptors[0] = STDIN_FILENO;
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  constexpr std::array keys{SIGINT, SIGQUIT};
  std::array<struct sigaction, keys.size()> before{};
  for (std::size_t index = 0; index < keys.size(); ++index)
    sigaction(keys[index], &ignore, &before[index]);
  const auto child = spawn(options);
  std::optional<int> status;
  while (!status) status = reap(child, std::chrono::steady_clock::now() + std::chrono::hours(24));
  for (std::size_t index = 0; index < keys.size(); ++index)
    sigaction(keys[index], &before[index], nullptr);
  return *status;
}

/// All that `up` would say against it.
std::vector<Diagnostic> findings_in(const Target& target) {
  try {
    LaunchRequest request;
    request.profile = target.path;
    if (target.record) {
      request.name = target.record->name;
      request.settings = target.record->settings;
      request.folder = target.record->folder;
    }
    return prepare(request, SocketStyle::descriptor).warnings;
  } catch (...) {
    return as_error(std::current_exception()).diagnostics();
  }
}

bool wants_again(const Terminal& terminal) {
  if (!terminal.in_is_terminal() || !terminal.shows_progress()) return false;
  terminal.say("edit it again? [Y/n] ");
  std::string answer;
  return std::getline(std::cin, answer) && (answer.empty() || answer[0] == 'y' || answer[0] == 'Y');
}

void tell_changes(const Target& target, const Terminal& terminal) {
  if (!target.record) return;
  const auto& name = target.record->name;
  const auto changes = profile_changes(*target.record);
  terminal.result(changes_text(changes));
  if (!needs_restart(changes)) return;
  if (look(name, false).live)
    terminal.say(name + " runs: `qlaunch reload " + shell_quote(name) +
                 "` starts it anew with this\n");
}

}  // namespace

void add_edit(CLI::App& app, EditOptions& options) {
  add_word(app, options.word, "VM", "a VM's name, or a profile: a file, or a name");
}

int edit(const EditOptions& options, Terminal& terminal) {
  const auto target = target_of(options.word);
  if (target.path.starts_with(builtin_prefix))
    throw UsageError("the profile " + in_backticks(target.path) +
                     " is part of the program and cannot be edited")
        .help("`qlaunch init NAME --from " + target.path.substr(builtin_prefix.size()) +
              "` writes a copy that can");
  if (access(target.path.c_str(), W_OK) != 0)
    throw UsageError("the profile " + in_backticks(target.path) + " cannot be written")
        .help("`qlaunch init NAME --from " + shell_quote(target.path) + "` writes a copy that can");
  const auto command = editor(terminal);
  const auto before = read_file(target.path);
  for (;;) {
    const int status = run_editor(command, target.path);
    if (status != 0)
      throw Error("the editor " + in_backticks(command) + " ended with " + describe_exit(status));
    if (read_file(target.path) == before) {
      terminal.say("nothing was changed\n");
      return 0;
    }
    const auto findings = findings_in(target);
    if (!findings.empty()) terminal.complain(findings);
    if (!has_errors(findings)) break;
    if (!wants_again(terminal)) return static_cast<int>(ExitCode::usage);
  }
  terminal.result(options.word + ": ok\n");
  tell_changes(target, terminal);
  return 0;
}

}  // namespace qlaunch
