// SPDX-License-Identifier: MIT
#include "wire.hpp"

#include "qmp/error.hpp"

#include <stdexcept>

namespace qmp {
namespace {

// QEMU itself refuses more. Without a limit, a hostile guest could have a value built that
// overflows the stack when it is printed: nlohmann's dump() is recursive.
constexpr int max_depth = 1024;

bool too_deep(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > max_depth) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

/// The start of a line in printable ASCII, to recognize what it is from.
std::string excerpt(std::string_view line) {
  constexpr std::size_t most = 40;
  std::string text;
  for (const char c : line.substr(0, most)) text += (c >= ' ' && c <= '~' && c != '`') ? c : '?';
  if (line.size() > most) text += "...";
  return text;
}

}  // namespace

nlohmann::json parse_object(std::string_view line) {
  if (too_deep(line)) throw Malformed("the peer sent JSON nested deeper than 1024 levels");
  auto value = nlohmann::json::parse(line, nullptr, false);
  if (value.is_discarded()) {
    throw Malformed("the peer sent what is not JSON: `" + excerpt(line) + "`");
  }
  if (!value.is_object()) {
    throw Malformed("the peer sent JSON that is not an object: `" + excerpt(line) + "`");
  }
  return value;
}

std::string string_or(const nlohmann::json& object, const char* key, std::string_view fallback) {
  if (object.is_object()) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_string()) return found->get<std::string>();
  }
  return std::string(fallback);
}

std::string to_text(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string arguments_member(const nlohmann::json& arguments) {
  if (!arguments.is_null() && !arguments.is_object()) {
    throw std::invalid_argument("the arguments of a command must be a JSON object");
  }
  return arguments.empty() ? std::string() : R"(,"arguments":)" + to_text(arguments);
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace qmp
