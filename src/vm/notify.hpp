// SPDX-License-Identifier: MIT
// Tells a service manager how it goes, by the protocol of sd_notify(3): a datagram to
// $NOTIFY_SOCKET. Does nothing where there is none, and never fails the caller.
#pragma once

#include "core/units.hpp"

#include <string>
#include <string_view>

namespace qlaunch {

class Notifier {
 public:
  /// Takes $NOTIFY_SOCKET out of the environment: what is started from here is not to speak there.
  static Notifier from_environment();

  Notifier() = default;
  /// A path, or a name behind `@` in the abstract namespace.
  explicit Notifier(std::string address) : address_(std::move(address)) {}

  explicit operator bool() const { return !address_.empty(); }

  void ready() const { send("READY=1"); }
  void stopping() const { send("STOPPING=1"); }
  void status(std::string_view text) const;
  /// From now on it may take so long until the next of these words.
  void extend(Duration time) const;

 private:
  void send(const std::string& text) const;

  std::string address_;
};

}  // namespace qlaunch
