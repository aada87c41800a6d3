// SPDX-License-Identifier: MIT
// `qlaunch screenshot`: what a VM shows, as a PNG file. Taking it is in vm/screenshot.hpp.
#pragma once

#include "cli/command.hpp"

#include <string>

namespace qlaunch {

struct ScreenshotOptions {
  std::string vm;
  std::string file;
  bool force = false;
};

void add_screenshot(CLI::App& app, ScreenshotOptions& options);
int screenshot(const ScreenshotOptions& options, Terminal& terminal);

}  // namespace qlaunch
