// SPDX-License-Identifier: MIT
// Kinds of options that several commands have. Defines no command.
#pragma once

#include "core/units.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace qlaunch {

/// `--timeout D`: its text is checked while parsing.
void add_timeout(CLI::App& app, std::optional<Duration>& timeout, const std::string& meaning);

/// `--name NAME`: what a VM may be called is checked while parsing.
void add_name(CLI::App& app, std::string& name, const std::string& meaning);

/// `--set KEY=VALUE`, as often as wanted.
void add_settings(CLI::App& app, std::vector<std::string>& settings);

void add_json(CLI::App& app, bool& json, const std::string& meaning);

/// One positional word, and one or more of them.
void add_word(CLI::App& app, std::string& word, const std::string& name, const std::string& meaning,
              bool required = true);
void add_words(CLI::App& app, std::vector<std::string>& words, const std::string& name,
               const std::string& meaning, bool required = true);

/// An option with a value; `kind` stands for the value in --help.
void add_text(CLI::App& app, std::string& value, const std::string& names, const std::string& kind,
              const std::string& meaning);
/// The same, as often as wanted.
void add_texts(CLI::App& app, std::vector<std::string>& values, const std::string& names,
               const std::string& kind, const std::string& meaning);
void add_flag(CLI::App& app, bool& flag, const std::string& names, const std::string& meaning);
/// How often it was given.
void add_count(CLI::App& app, int& count, const std::string& names, const std::string& meaning);

/// CLI11 takes a word like `[a,b]` for a list of two. In front of such words goes a character that
/// the options above take away again.
constexpr char bracket_shield = '\x01';
std::vector<std::string> shielded_words(std::vector<std::string> words);

/// The same words, each once, in the order of their first appearance.
std::vector<std::string> without_repeats(const std::vector<std::string>& words);

}  // namespace qlaunch
