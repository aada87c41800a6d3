// SPDX-License-Identifier: MIT
#include "cli/keeper.hpp"

#include "cli/options.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "vm/keeper.hpp"

#include <limits>

namespace qlaunch {

void add_keeper(CLI::App& app, KeeperOptions& options) {
  add_word(app, options.name, "NAME", "the VM");
  add_text(app, options.report, "--report", "FD", "descriptor that learns of an early end");
}

int keeper(const KeeperOptions& options, Terminal& /*terminal*/) {
  int report = -1;
  if (!options.report.empty()) {
    const auto number = parse_unsigned(options.report);
    if (!number || *number > static_cast<unsigned>(std::numeric_limits<int>::max()))
      throw UsageError("`--report` is a descriptor's number, not " + in_backticks(options.report));
    report = static_cast<int>(*number);
  }
  return keep(options.name, report);
}

}  // namespace qlaunch
