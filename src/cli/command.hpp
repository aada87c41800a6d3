// SPDX-License-Identifier: MIT
// What a command of qlaunch consists of. The list of them is in commands.cpp; parsing in parse.cpp.
#pragma once

#include "cli/terminal.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace qlaunch {

/// The command's work, with the options it was parsed with; returns the exit code.
using Run = std::function<int(Terminal&)>;

struct CliCommand {
  std::string_view name;
  std::vector<std::string_view> aliases;
  std::string_view group;      // its heading in the overview; empty: not shown there
  std::string_view arguments;  // in the overview, "VM..."
  std::string_view summary;
  /// Gives the parser the command's options; nothing runs yet.
  Run (*add)(CLI::App& app);
};

/// Ties options, parser and work of a command together.
template <class Options, void (*Add)(CLI::App&, Options&), int (*Do)(const Options&, Terminal&)>
Run bind(CLI::App& app) {
  auto options = std::make_shared<Options>();
  Add(app, *options);
  return [options](Terminal& terminal) { return Do(*options, terminal); };
}

/// For commands without options.
struct NoOptions {};
inline void add_nothing(CLI::App& /*app*/, NoOptions& /*options*/) {}

/// All of them, in the order of the overview.
const std::vector<CliCommand>& commands();

/// By name or alias; null where there is none.
const CliCommand* find_command(std::string_view word);

/// Names and aliases of the commands that the overview shows, for "did you mean".
std::vector<std::string> command_words();

/// Words that other tools use, or that a later version may have: what to do instead. Empty for
/// other words.
std::string_view advice_for(std::string_view word);

/// The Markdown text of src/cli/NAME.md; empty for a command without one.
std::string_view manual(std::string_view name);

}  // namespace qlaunch
