// SPDX-License-Identifier: MIT
// One line of the wire taken apart: which kind of message it is, its id, its value.
// Does not judge whether the message fits the conversation; session and agent session do.
#pragma once

#include "qmp/message.hpp"

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace qmp {

struct Envelope {
  enum class IdKind { none, number, other };

  bool has_return = false;
  bool has_error = false;
  bool has_event = false;
  bool has_greeting = false;
  bool event_is_text = false;
  IdKind id_kind = IdKind::none;
  Id id = 0;
  nlohmann::json value;     ///< of `return`
  nlohmann::json error;     ///< of `error`
  nlohmann::json greeting;  ///< of `QMP`
  nlohmann::json data;      ///< of `data`
  std::string event;
  std::chrono::system_clock::time_point time;  ///< The epoch if none was named.
};

/// Throws Malformed with a reason: not JSON, not UTF-8, nested too deeply, not an object.
Envelope read_envelope(std::string_view line);

}  // namespace qmp
