// SPDX-License-Identifier: MIT
#include "cli/check.hpp"

#include "cli/failure.hpp"
#include "cli/options.hpp"
#include "cli/report_json.hpp"
#include "vm/catalog.hpp"
#include "vm/launch.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

std::vector<Diagnostic> findings_in(const std::string& word,
                                    const std::vector<std::string>& settings) {
  try {
    // All that `up` does before it makes or starts anything.
    LaunchRequest request;
    request.profile = find_profile(word);
    request.settings = settings;
    return prepare(request, SocketStyle::descriptor).warnings;
  } catch (...) {
    return as_error(std::current_exception()).diagnostics();
  }
}

}  // namespace

void add_check(CLI::App& app, CheckOptions& options) {
  add_words(app, options.profiles, "PROFILE", "profiles: files, or names");
  add_settings(app, options.settings);
  add_json(app, options.json, "print an array of findings; the keys are below");
}

int check(const CheckOptions& options, Terminal& terminal) {
  std::vector<Diagnostic> all;
  bool first = true;
  for (const auto& word : options.profiles) {
    auto findings = findings_in(word, options.settings);
    const bool wrong = has_errors(findings);
    if (!options.json && !findings.empty()) {
      if (!first) terminal.say("\n");
      terminal.complain(findings);
      first = false;
    }
    if (!options.json && !wrong) terminal.result(word + ": ok\n");
    std::move(findings.begin(), findings.end(), std::back_inserter(all));
  }
  if (options.json) terminal.print(diagnostics_json(all));
  return has_errors(all) ? static_cast<int>(ExitCode::usage) : 0;
}

}  // namespace qlaunch
