// SPDX-License-Identifier: MIT
#include "cli/help.hpp"

#include "cli/markdown.hpp"
#include "cli/table.hpp"
#include "core/text.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace qlaunch {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

bool unlimited(const CLI::Option& option) {
  return option.get_items_expected_max() >= CLI::detail::expected_max_vector_size;
}

/// "PROFILE...", "[VM]"
std::string positional_text(const CLI::Option& option) {
  std::string text = option.get_name(true) + (unlimited(option) ? "..." : "");
  return option.get_required() ? text : "[" + text + "]";
}

/// "-q, --quiet", "    --set KEY=VALUE"
std::string option_text(const CLI::Option& option) {
  std::string text = option.get_snames().empty() ? "    " : "-" + option.get_snames().front();
  // Some of ssh's have no long name.
  if (!option.get_lnames().empty())
    text += (option.get_snames().empty() ? "--" : ", --") + option.get_lnames().front();
  if (option.get_items_expected_max() > 0) text += ' ' + option.get_type_name();
  return text;
}

std::string section(const Terminal& terminal, std::string_view heading, const Rows& rows) {
  if (rows.empty()) return {};
  return '\n' + terminal.bold(heading) + '\n' + facts_table(rows, terminal.prose_width(), "  ");
}

}  // namespace

std::string usage_line(const CliCommand& command, const CLI::App& app) {
  std::string line = "qlaunch " + std::string(command.name) + " [OPTIONS]";
  for (const auto* option : app.get_options()) {
    if (!option->get_positional()) continue;
    const auto text = positional_text(*option);
    // Its own options are not ours.
    if (text.starts_with("[CMD")) {
      line += " [-- " + text.substr(1);
    } else {
      line += (text.starts_with("CMD") ? " -- " : " ") + text;
    }
  }
  return line;
}

std::string command_help(const CliCommand& command, const CLI::App& app, const Terminal& terminal) {
  const int width = terminal.prose_width();
  std::string out = terminal.bold("qlaunch " + std::string(command.name)) + " - ";
  out += fold_prose(command.summary, width - display_width(command.name) - 11, "  ") + "\n\n";
  out +=
      terminal.bold("Usage") + ": " + fold(usage_line(command, app), width - 7, "       ") + '\n';
  if (!command.aliases.empty()) {
    std::vector<std::string> aliases(command.aliases.begin(), command.aliases.end());
    out += terminal.bold(aliases.size() == 1 ? "Alias" : "Aliases") + ": " + join(aliases, ", ") +
           '\n';
  }
  Rows positionals, own, common;
  for (const auto* option : app.get_options()) {
    if (option->get_group().empty()) continue;
    if (option->get_positional()) {
      positionals.emplace_back(positional_text(*option), option->get_description());
    } else {
      (option->get_group() == "Common" ? common : own)
          .emplace_back(option_text(*option), option->get_description());
    }
  }
  out += section(terminal, "Arguments", positionals);
  own.insert(own.end(), common.begin(), common.end());
  out += section(terminal, "Options", own);
  // The title is above already.
  auto text = manual(command.name);
  if (!text.empty()) {
    text.remove_prefix(text.find('\n') + 1);
    text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
    out += '\n' + render_markdown(text, width,
                                  [&](std::string_view heading) { return terminal.bold(heading); });
  }
  return out;
}

std::string overview(const Terminal& terminal) {
  const int width = terminal.prose_width();
  std::string out = "qlaunch runs virtual machines from TOML files with QEMU.\n\n";
  out += terminal.bold("Usage") + ": " +
         fold_prose("qlaunch COMMAND ..., or qlaunch PROFILE for `qlaunch up PROFILE`", width - 7,
                    "       ") +
         '\n';
  std::string_view group;
  int names = 0;
  for (const auto& command : commands()) {
    if (command.group.empty()) continue;
    names = std::max(names, display_width(command.name) + display_width(command.arguments) + 1);
  }
  for (const auto& command : commands()) {
    if (command.group.empty()) continue;
    if (command.group != group) out += '\n' + terminal.bold(command.group) + '\n';
    group = command.group;
    auto name = std::string(command.name) + ' ' + std::string(command.arguments);
    name.resize(static_cast<std::size_t>(names), ' ');
    const auto indent = std::string(static_cast<std::size_t>(names) + 4, ' ');
    out += "  " + name + "  " +
           fold_prose(command.summary, terminal.prose_width() - static_cast<int>(indent.size()),
                      indent) +
           '\n';
  }
  out += '\n' +
         fold(
             "`qlaunch COMMAND --help` explains a command. PROFILE is a file or a profile's "
             "name (`hello` is built in), VM a VM's name or its profile.",
             terminal.prose_width(), "") +
         '\n';
  return out;
}

}  // namespace qlaunch
