// SPDX-License-Identifier: MIT
#include "cli/parse.hpp"

#include "cli/help.hpp"
#include "cli/options.hpp"
#include "core/quote.hpp"
#include "core/suggest.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace qlaunch {
namespace {

constexpr std::string_view common_group = "Common";

ColorWish parse_color(const std::string& text) {
  if (text == "auto") return ColorWish::automatic;
  if (text == "always") return ColorWish::always;
  if (text == "never") return ColorWish::never;
  throw UsageError("`--color` is `auto`, `always` or `never`, not " + in_backticks(text));
}

void add_globals(CLI::App& app, Globals& globals) {
  const std::string common(common_group);
  if (app.get_option_no_throw("--quiet") == nullptr)
    app.add_flag("-q,--quiet", globals.quiet, "print only data, warnings and errors")
        ->group(common);
  app.add_option_function<std::string>(
         "--color", [&globals](const std::string& text) { globals.color = parse_color(text); },
         "auto (on a terminal, and NO_COLOR is not set), always or never")
      ->type_name("WHEN")
      ->group(common);
  app.set_help_flag("-h,--help", "print this text")->group(common);
}

void configure(CLI::App& app) {
  // A later word overrides an earlier one, as in scripts that add to a user's options.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  // Unknown words are reported here, with what was probably meant.
  app.allow_extras();
}

/// CLI11 takes the words last first.
std::vector<std::string> reversed(std::vector<std::string> words) {
  std::reverse(words.begin(), words.end());
  return words;
}

std::string help_line(const std::string& command) {
  return "`qlaunch " + command + (command.empty() ? "" : " ") + "--help` explains it";
}

/// CLI11 would take the next word for the value of `--name=`.
void refuse_empty_values(const std::vector<std::string>& words, const std::string& command) {
  for (const auto& word : words) {
    if (word == "--") return;
    if (word.starts_with("--") && word.ends_with('=') && word.find('=') == word.size() - 1)
      throw UsageError("there is no value behind " + in_backticks(word)).help(help_line(command));
  }
}

void refuse_extras(const CLI::App& app, const std::string& command) {
  std::vector<std::string> options;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) options.push_back("--" + name);
  }
  auto extras = app.remaining();
  std::erase(extras, "--");
  for (auto& extra : extras) {
    if (extra.starts_with(bracket_shield)) extra.erase(0, 1);
  }
  for (const auto& extra : extras) {
    if (!extra.starts_with('-') || extra == "-") continue;
    auto error = UsageError("`" + command + "` has no option " + in_backticks(extra));
    // Without its value: `--tmeout=5s`.
    if (const auto near = nearest(extra.substr(0, extra.find('=')), options))
      error.help("did you mean " + in_backticks(*near) + "?");
    throw std::move(error).help(help_line(command));
  }
  if (!extras.empty())
    throw UsageError("one word too many for `" + command + "`: " + in_backticks(extras.front()))
        .help(help_line(command));
}

UsageError reworded(const CLI::ParseError& error, const CLI::App& app, const CliCommand& command) {
  const std::string name(command.name);
  const std::string text = error.what();
  if (error.get_name() == "RequiredError") {
    for (const auto* option : app.get_options()) {
      if (!option->get_required() || option->count() > 0) continue;
      UsageError out("`" + name + "` needs " + option->get_name(true));
      out.help("usage: " + usage_line(command, app));
      out.help(help_line(name));
      return out;
    }
  }
  if (error.get_name() == "ArgumentMismatch") {
    // "--timeout: 1 required DURATION missing"
    const auto option = text.substr(0, text.find(':'));
    if (const auto* found = app.get_option_no_throw(option)) {
      UsageError out("there is no value behind " + in_backticks(option) + ": it needs " +
                     found->get_type_name());
      out.help(help_line(name));
      return out;
    }
  }
  // `--json=perhaps`: CLI11 takes words such as "true" there, and complains of others.
  for (const auto* option : app.get_options()) {
    if (option->get_items_expected_max() > 0 || option->get_lnames().empty()) continue;
    const auto flag = "--" + option->get_lnames().front();
    if (text.find(flag) == std::string::npos) continue;
    UsageError out(in_backticks(flag) + " takes no value");
    out.help(help_line(name));
    return out;
  }
  UsageError out("`" + name + "` does not understand its words: " + text);
  out.help(help_line(name));
  return out;
}

}  // namespace

Words parse_globals(const std::vector<std::string>& words) {
  Words out;
  CLI::App app;
  configure(app);
  app.prefix_command();
  add_globals(app, out.globals);
  app.add_flag("-V,--version", out.version);
  try {
    app.parse(reversed(words));
  } catch (const CLI::CallForHelp&) {
    out.help = true;
  } catch (const CLI::ParseError&) {
    throw UsageError("there is no value behind `--color`: it needs `auto`, `always` or `never`");
  }
  out.rest = app.remaining();
  if (!out.rest.empty() && out.rest.front() == "--") out.rest.erase(out.rest.begin());
  return out;
}

Parsed parse_command(const CliCommand& command, const std::vector<std::string>& words,
                     Globals& globals) {
  const std::string name(command.name);
  CLI::App app;
  configure(app);
  Parsed out;
  out.run = command.add(app);
  add_globals(app, globals);
  refuse_empty_values(words, name);
  try {
    app.parse(reversed(shielded_words(words)));
  } catch (const CLI::CallForHelp&) {
    out.help = command_help(command, app, Terminal(globals));
    return out;
  } catch (const CLI::ParseError& error) {
    // A misspelt option explains what is missing better than the missing thing does.
    refuse_extras(app, name);
    throw reworded(error, app, command);
  }
  refuse_extras(app, name);
  return out;
}

std::string help_of(const CliCommand& command, const Globals& globals) {
  CLI::App app;
  configure(app);
  Globals ignored;
  const auto run = command.add(app);
  add_globals(app, ignored);
  return command_help(command, app, Terminal(globals));
}

}  // namespace qlaunch
