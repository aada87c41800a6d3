// SPDX-License-Identifier: MIT
#include "closed.hpp"

#include "qmp/error.hpp"
#include "wire.hpp"

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

std::string too_late(std::string_view command, const std::string& complaint) {
  auto text = "`" + std::string(command) + "` was not answered in time";
  if (!complaint.empty()) text += "; the peer could not read something: " + complaint;
  return text;
}

std::string human_text(std::string_view line, const nlohmann::json& reply, HumanReply expected) {
  if (!reply.is_string()) throw Malformed("the human monitor's answer is not text");
  auto text = reply.get<std::string>();
  const auto begins = [&text](const char* start) { return text.rfind(start, 0) == 0; };
  const bool error = expected == HumanReply::silence
                         ? !is_blank(text)
                         : begins("Error: ") || begins("unknown command: ");
  if (!error) return text;
  auto desc = text;
  for (auto& c : desc) {
    if (c == '\r' || c == '\n') c = ' ';
  }
  desc.erase(desc.find_last_not_of(' ') + 1);
  throw Refused(std::string(line), "HumanMonitor", std::move(desc), std::string(line));
}

}  // namespace qmp
