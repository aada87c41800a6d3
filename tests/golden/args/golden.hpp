// SPDX-License-Identifier: MIT
// Compares what a profile becomes on a written-down host with a file beside the profile; with
// QLAUNCH_TEST_ACCEPT=1 writes that file instead.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace test {

/// One profile on one host.
struct Case {
  qlaunch::HostFacts facts;
  std::vector<std::string> settings;  // of --set
  qlaunch::PlanInput input;
};

Case usual_case();

/// Loads `path`, a file below the source folder, as /profiles/NAME, whose neighbours are the files
/// beside it; then plans it. Diagnostics of both, errors too.
qlaunch::Planned planned(const std::string& path, const Case& a_case);

/// The whole of it as text: preparations, helpers, QEMU, one word a line; then what was said.
std::string args_text(const qlaunch::Planned& planned);

/// Fails the test case where the file below tests/golden has another text.
void compare(const std::string& file, const std::string& text);

/// profiles/NAME.toml, or tests/golden/args/NAME.toml, against tests/golden/args/GOLDEN.args.
void check_shipped(const std::string& name, const Case& a_case, const std::string& golden);
void check_args(const std::string& name, const Case& a_case, const std::string& golden);
/// tests/golden/plan_errors/NAME.toml against NAME.err.
void check_error(const std::string& name, const Case& a_case);

}  // namespace test
