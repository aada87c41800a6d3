// SPDX-License-Identifier: MIT
// What both clients tell who waits: that the conversation is over, that nothing came, that the
// human monitor's text is an error. Does not decide whether it is over: the session does.
#pragma once

#include "qmp/message.hpp"
#include "qmp/options.hpp"

#include <exception>
#include <string>
#include <string_view>

namespace qmp {

/// `waiting_for` completes "the connection ended before ...": "`quit` was answered".
std::exception_ptr closed_error(const Closed& closed, std::string_view waiting_for);

/// The same for a command by its name.
std::exception_ptr unanswered(const Closed& closed, std::string_view command);

/// What a command is told that got no answer, with what the peer complained of in the meantime.
std::string too_late(std::string_view command, const std::string& complaint);

/// The human monitor's text for `line`, or Refused where it is an error.
std::string human_text(std::string_view line, const nlohmann::json& reply, HumanReply expected);

}  // namespace qmp
