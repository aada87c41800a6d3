// SPDX-License-Identifier: MIT
#include "closed.hpp"

#include "qmp/error.hpp"

#include <string>

namespace qmp {

std::exception_ptr closed_error(const Closed& closed, std::string_view waiting_for) {
  if (closed.kind == Closed::Kind::malformed) {
    return std::make_exception_ptr(Malformed(closed.cause));
  }
  return std::make_exception_ptr(
      Gone("the connection ended before " + std::string(waiting_for) + ": " + closed.cause,
           closed.cause));
}

std::exception_ptr unanswered(const Closed& closed, std::string_view command) {
  return closed_error(closed, "`" + std::string(command) + "` was answered");
}

Closed unreadable(const Complaint& complaint) {
  return {Closed::Kind::malformed, "the peer could not read a command: " + complaint.desc};
}

}  // namespace qmp
