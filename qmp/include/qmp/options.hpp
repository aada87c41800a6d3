// SPDX-License-Identifier: MIT
// What a caller may choose about a connection, the same for the blocking and the coroutine client.
// Does not hold what belongs to a single command: that is an argument of the call.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace qmp {

inline constexpr std::size_t default_line_cap = std::size_t{64} << 20;

struct Options {
  /// Until the peer has greeted and the capabilities are settled.
  std::chrono::milliseconds greeting{5000};
  /// Until a command is answered, where the call names no deadline of its own.
  std::chrono::milliseconds reply{30000};
  /// The longest message accepted. `query-qmp-schema` is 200 KB in one line.
  std::size_t line_cap = default_line_cap;
  /// Events kept for a reader who has not come yet; beyond that the oldest go, and are counted.
  std::size_t event_capacity = 1024;
  /// Ask for out-of-band execution where the peer offers it.
  bool oob = false;
};

/// What a line for the human monitor prints when all is well.
enum class HumanReply {
  text,     ///< Something; only what QEMU marks as an error is taken for one.
  silence,  ///< Nothing; any text is an error: `hostfwd_add`, `savevm`...
};

/// A descriptor that becomes readable when waiting has lost its point: a pidfd, say.
struct Watch {
  int fd;             ///< Borrowed, not closed.
  std::string cause;  ///< Becomes Gone::cause(): "the QEMU process exited".
};

}  // namespace qmp
