// SPDX-License-Identifier: MIT
// The exception that tells a waiter why the conversation is over.
// Does not decide whether it is over: the session does.
#pragma once

#include "qmp/message.hpp"

#include <exception>
#include <string_view>

namespace qmp {

/// `waiting_for` completes "the connection ended before ...": "`quit` was answered".
std::exception_ptr closed_error(const Closed& closed, std::string_view waiting_for);

/// The same for a command by its name.
std::exception_ptr unanswered(const Closed& closed, std::string_view command);

/// What a conversation ends with after the peer could not read a command. Which one is not known,
/// and a single bad input can bring several complaints, so no later reply can be trusted either.
Closed unreadable(const Complaint& complaint);

}  // namespace qmp
