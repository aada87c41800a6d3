// SPDX-License-Identifier: MIT
// What a QMP peer can say, as plain values.
// Does not close the set of event names: an unknown event passes through like any other.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

namespace qmp {

using Id = std::uint64_t;

struct Greeting {
  nlohmann::json version;
  std::vector<std::string> capabilities;
};

/// The capabilities are settled: from here on commands are obeyed.
struct Ready {};

struct Reply {
  Id id;
  nlohmann::json value;
};

struct Refusal {
  Id id;
  std::string error_class;
  std::string desc;
  std::string command;
  std::string sent;
};

/// An error without an id: the peer could not even read what was sent.
struct Complaint {
  std::string error_class;
  std::string desc;
};

struct Event {
  std::string name;
  nlohmann::json data;                         ///< An object; null where the event carries nothing.
  std::chrono::system_clock::time_point time;  ///< By the peer's clock; the epoch if it named none.
};

using Message = std::variant<Greeting, Ready, Reply, Refusal, Complaint, Event>;

/// Why a conversation is over.
struct Closed {
  enum class Kind { gone, malformed };
  Kind kind;
  std::string cause;
};

}  // namespace qmp
