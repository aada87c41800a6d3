// SPDX-License-Identifier: MIT
// One finding for the user: what, where, and what to do; and its text. Does not print.
#pragma once

#include "core/source.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

enum class Severity { error, warning, note };

/// A help line that opens with this is a command to be run as it is, shown in one line.
constexpr std::string_view command_mark = "$ ";

/// A message is one lower-case clause without a full stop; `help` lines say what to do.
struct Diagnostic {
  Severity severity = Severity::error;
  std::string message;
  Location where;
  std::vector<std::string> help;
  /// Further places that belong to it, each with its own words ("first used here").
  struct Related {
    std::string message;
    Location where;
  };
  std::vector<Related> related;

  Diagnostic&& with_help(std::string text) &&;
  Diagnostic&& with_related(std::string text, Location place) &&;
};

Diagnostic error_at(Location where, std::string message);
Diagnostic warning_at(Location where, std::string message);

struct RenderOptions {
  bool color = false;
  /// Help is folded at this width; source lines are shown in a window that fits it.
  int width = 80;
};

/// The text of one diagnostic, several lines, ended by a newline.
std::string render(const Diagnostic& diagnostic, const RenderOptions& options = {});

/// All of them, a blank line in between.
std::string render(const std::vector<Diagnostic>& diagnostics, const RenderOptions& options = {});

bool has_errors(const std::vector<Diagnostic>& diagnostics);

}  // namespace qlaunch
