// SPDX-License-Identifier: MIT
// A conversation with the real binary, kept as text: files, commands, and exactly what they print.
// The format is described in case.cpp.
#pragma once

#include <string>

namespace test {

/// Runs tests/cli/NAME.case and compares; QLAUNCH_TEST_ACCEPT=1 writes down what came instead.
void run_case(const std::string& name);

/// The folder with the cases: $QLAUNCH_CASES.
std::string case_folder();

}  // namespace test
