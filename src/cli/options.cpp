// SPDX-License-Identifier: MIT
#include "cli/options.hpp"

#include "core/error.hpp"
#include "profile/syntax.hpp"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace qlaunch {
namespace {

/// Takes back what shielded_words() did.
void as_they_are(CLI::Option* option) {
  option->transform([](std::string word) {
    if (word.starts_with(bracket_shield)) word.erase(0, 1);
    return word;
  });
}

}  // namespace

std::vector<std::string> shielded_words(std::vector<std::string> words) {
  for (auto& word : words) {
    if (word.starts_with('[') && word.ends_with(']')) word.insert(word.begin(), bracket_shield);
  }
  return words;
}

void add_name(CLI::App& app, std::string& name, const std::string& meaning) {
  app.add_option_function<std::string>(
         "--name",
         [&name](const std::string& text) {
           if (const auto problem = check_vm_name(text)) {
             UsageError error("`--name`: " + problem->message);
             for (const auto& help : problem->help) error.help(help);
             throw error;
           }
           name = text;
         },
         meaning)
      ->type_name("NAME");
}

void add_timeout(CLI::App& app, std::optional<Duration>& timeout, const std::string& meaning) {
  app.add_option_function<std::string>(
         "--timeout",
         [&timeout](const std::string& text) {
           try {
             timeout = parse_duration(text);
           } catch (const Error& error) {
             // The reason says what is wrong with the text, not which option it was given to.
             std::vector<Diagnostic> diagnostics = error.diagnostics();
             diagnostics.front().message = "`--timeout`: " + diagnostics.front().message;
             throw Error(std::move(diagnostics), ExitCode::usage);
           }
         },
         meaning)
      ->type_name("DURATION");
}

void add_settings(CLI::App& app, std::vector<std::string>& settings) {
  app.add_option(
         "--set", settings,
         "change a key of the profile for this VM, as in `--set machine.memory=4GiB`; may be "
         "given several times")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

void add_json(CLI::App& app, bool& json, const std::string& meaning) {
  app.add_flag("--json", json, meaning);
}

void add_word(CLI::App& app, std::string& word, const std::string& name, const std::string& meaning,
              bool required) {
  as_they_are(app.add_option(name, word, meaning)->required(required));
}

void add_words(CLI::App& app, std::vector<std::string>& words, const std::string& name,
               const std::string& meaning, bool required) {
  as_they_are(app.add_option(name, words, meaning)->required(required));
}

void add_text(CLI::App& app, std::string& value, const std::string& names, const std::string& kind,
              const std::string& meaning) {
  as_they_are(app.add_option(names, value, meaning)->type_name(kind));
}

void add_texts(CLI::App& app, std::vector<std::string>& values, const std::string& names,
               const std::string& kind, const std::string& meaning) {
  as_they_are(app.add_option(names, values, meaning)->type_name(kind)->allow_extra_args(false));
}

void add_flag(CLI::App& app, bool& flag, const std::string& names, const std::string& meaning) {
  app.add_flag(names, flag, meaning);
}

void add_count(CLI::App& app, int& count, const std::string& names, const std::string& meaning) {
  app.add_flag_function(
      names, [&count](std::int64_t times) { count = static_cast<int>(times); }, meaning);
}

std::vector<std::string> without_repeats(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const auto& word : words) {
    if (std::find(out.begin(), out.end(), word) == out.end()) out.push_back(word);
  }
  return out;
}

}  // namespace qlaunch
