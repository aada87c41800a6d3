// SPDX-License-Identifier: MIT
#include "core/error.hpp"

#include <system_error>

namespace qlaunch {

Error::Error(std::string message, ExitCode code) : code_(code) {
  diagnostics_.push_back(error_at({}, std::move(message)));
}

Error::Error(std::vector<Diagnostic> diagnostics, ExitCode code)
    : diagnostics_(std::move(diagnostics)), code_(code) {
  // what() needs one to speak of.
  if (diagnostics_.empty()) diagnostics_.push_back(error_at({}, "unknown failure"));
}

Error& Error::help(std::string text) & {
  diagnostics_.back().help.push_back(std::move(text));
  return *this;
}

Error&& Error::help(std::string text) && {
  diagnostics_.back().help.push_back(std::move(text));
  return std::move(*this);
}

Error&& Error::at(Location where) && {
  diagnostics_.front().where = std::move(where);
  return std::move(*this);
}

Error system_error(const std::string& what, int error) {
  return Error(what + ": " + std::generic_category().message(error));
}

}  // namespace qlaunch
