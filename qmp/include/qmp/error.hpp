// SPDX-License-Identifier: MIT
// The failures a QMP or guest-agent conversation can end in, told apart by type.
// Does not classify QEMU's descriptions: `desc` is for people, only the class is for programs.
#pragma once

#include <stdexcept>
#include <string>

namespace qmp {

/// Everything this library throws about the other side; wrong use of the library is a logic_error.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The peer understood the command and said no. The connection is as good as before.
class Refused : public Error {
 public:
  Refused(const std::string& command, std::string error_class, std::string desc, std::string sent);

  [[nodiscard]] const std::string& error_class() const { return error_class_; }
  [[nodiscard]] const std::string& desc() const { return desc_; }
  /// The exact text that was sent. It may hold secrets, so what() leaves it out.
  [[nodiscard]] const std::string& sent() const { return sent_; }

 private:
  std::string error_class_;
  std::string desc_;
  std::string sent_;
};

/// There is no connection, or no longer one. Final: a new client is needed.
class Gone : public Error {
 public:
  Gone(const std::string& what, std::string cause) : Error(what), cause_(std::move(cause)) {}

  /// Why, as far as it is known: "the peer closed the connection before its greeting".
  [[nodiscard]] const std::string& cause() const { return cause_; }

 private:
  std::string cause_;
};

/// The peer sent what this protocol does not know. QMP ends there; an agent can be synced again.
class Malformed : public Error {
 public:
  using Error::Error;
};

/// The deadline passed. The command may still be carried out; its late reply will be dropped.
class Timeout : public Error {
 public:
  using Error::Error;
};

/// No greeting, or no room in the listener's queue: most likely another client holds the socket.
class Busy : public Timeout {
 public:
  using Timeout::Timeout;
};

}  // namespace qmp
