// SPDX-License-Identifier: MIT
// The one family of failures: every exception that main turns into a message and an exit code.
// Does not print and does not decide when to give up.
#pragma once

#include "core/diagnostic.hpp"

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace qlaunch {

/// What the process ends with. `ssh`, `exec`, `run` and `rig run` pass the command's own code
/// through and use `own_failure` for failures of their own.
enum class ExitCode : int {
  done = 0,
  failed = 1,
  usage = 2,
  state = 3,
  timeout = 4,
  own_failure = 125
};

class Error : public std::exception {
 public:
  explicit Error(std::string message, ExitCode code = ExitCode::failed);
  Error(std::vector<Diagnostic> diagnostics, ExitCode code);

  /// Adds a line that says what to do.
  Error& help(std::string text) &;
  Error&& help(std::string text) &&;
  /// Points at the place in a profile that led here.
  Error&& at(Location where) &&;

  const char* what() const noexcept override { return diagnostics_.front().message.c_str(); }
  ExitCode code() const { return code_; }
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
  ExitCode code_;
};

/// The words on the command line cannot be followed.
class UsageError : public Error {
 public:
  explicit UsageError(std::string message) : Error(std::move(message), ExitCode::usage) {}
};

/// One or more profiles are wrong; carries everything that was found, warnings too.
class ProfileError : public Error {
 public:
  explicit ProfileError(std::vector<Diagnostic> diagnostics)
      : Error(std::move(diagnostics), ExitCode::usage) {}
};

/// There is no such VM, or it is not in the state that the command needs.
class StateError : public Error {
 public:
  explicit StateError(std::string message) : Error(std::move(message), ExitCode::state) {}
};

/// What was waited for did not happen in time.
class TimeoutError : public Error {
 public:
  explicit TimeoutError(std::string message) : Error(std::move(message), ExitCode::timeout) {}
};

/// `what: reason` for a failed system call; `error` is an errno value.
Error system_error(const std::string& what, int error);

}  // namespace qlaunch
