// SPDX-License-Identifier: MIT
#include "plan/value.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <stdexcept>

namespace qlaunch::planner {

namespace {

void append_text(std::string& out, std::string_view text) {
  constexpr std::string_view escaped = "\"\\\b\f\n\r\t";
  constexpr std::string_view letters = "\"\\bfnrt";
  out += '"';
  for (const char character : text) {
    if (const auto index = escaped.find(character); index != std::string_view::npos) {
      out += '\\';
      out += letters[index];
    } else if (static_cast<unsigned char>(character) < 0x20) {
      out += "\\u" + hexadecimal(static_cast<unsigned char>(character), 4);
    } else {
      out += character;
    }
  }
  out += '"';
}

}  // namespace

Value::Value(std::initializer_list<Member> members) {
  Object object;
  object.reserve(members.size());
  for (const auto& [name, value] : members) object.emplace_back(name, value);
  kind_ = std::move(object);
}

Value Value::list() {
  Value value;
  value.kind_ = List{};
  return value;
}

Value& Value::operator[](std::string_view name) {
  if (is_null()) kind_ = Object{};
  auto& members = std::get<Object>(kind_);
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const auto& member) { return member.first == name; });
  if (found != members.end()) return found->second;
  return members.emplace_back(std::string(name), Value{}).second;
}

const Value& Value::at(std::string_view name) const {
  for (const auto& [member, value] : std::get<Object>(kind_)) {
    if (member == name) return value;
  }
  throw std::out_of_range("an option's value has no member " + std::string(name));
}

void Value::push_back(Value value) {
  std::get<List>(kind_).push_back(std::move(value));
}

std::string Value::json() const {
  std::string out;
  append_to(out);
  return out;
}

void Value::append_to(std::string& out) const {
  if (is_null()) {
    out += "null";
  } else if (const auto* text = std::get_if<std::string>(&kind_)) {
    append_text(out, *text);
  } else if (const auto* yes = std::get_if<bool>(&kind_)) {
    out += *yes ? "true" : "false";
  } else if (const auto* number = std::get_if<Digits>(&kind_)) {
    out += number->text;
  } else if (const auto* members = std::get_if<Object>(&kind_)) {
    out += '{';
    for (const auto& member : *members) {
      if (&member != members->data()) out += ',';
      append_text(out, member.first);
      out += ':';
      member.second.append_to(out);
    }
    out += '}';
  } else {
    const auto& list = std::get<List>(kind_);
    out += '[';
    for (const auto& value : list) {
      if (&value != list.data()) out += ',';
      value.append_to(out);
    }
    out += ']';
  }
}

}  // namespace qlaunch::planner
