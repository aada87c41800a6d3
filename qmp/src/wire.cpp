// SPDX-License-Identifier: MIT
#include "wire.hpp"

#include <algorithm>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace qmp {
namespace {

using nlohmann::json;

// What QEMU's own parser takes. Beyond, it answers with complaints that name no command.
constexpr int max_depth = 1024;
constexpr std::size_t max_size = std::size_t{64} << 20;

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

bool is_plain(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace

std::string command_text(const char* verb, std::string_view command, const json& arguments) {
  if (!arguments.is_null() && !arguments.is_object()) {
    throw std::invalid_argument("the arguments of a command must be a JSON object");
  }
  std::string text = R"({")";
  text += verb;
  text += R"(":)";
  if (is_plain(command)) {
    text += '"';
    text += command;
    text += '"';
  } else {
    text += to_text(json(command));
  }
  if (!arguments.empty()) {
    text += R"(,"arguments":)";
    text += to_text(arguments);
  }
  if (text.size() > max_size) {
    throw std::invalid_argument("a command of more than 64 MiB is not read by QEMU");
  }
  // The scan costs something, and depth needs length.
  if (text.size() > 2 * max_depth && too_deep(text)) {
    throw std::invalid_argument("a command nested deeper than 1024 levels is not read by QEMU");
  }
  return text;
}

std::string string_or(const json& object, const char* key, std::string_view fallback) {
  if (object.is_object()) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_string()) return found->get<std::string>();
  }
  return std::string(fallback);
}

std::int64_t integer_or(const json& object, const char* key, std::int64_t fallback) {
  if (!object.is_object()) return fallback;
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>()
                                                             : fallback;
}

std::string to_text(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string excerpt(std::string_view line) {
  constexpr std::size_t most = 40;
  std::string text;
  for (const char c : line.substr(0, most)) text += (c >= ' ' && c <= '~' && c != '`') ? c : '?';
  if (line.size() > most) text += "...";
  return text;
}

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace qmp
