// SPDX-License-Identifier: MIT
// The value of an option that QEMU takes as JSON; its members keep their order. Not for reading
// JSON, nor for more than options: a dozen files build these, and this costs them little to
// compile.
#pragma once

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace qlaunch::planner {

class Value {
 public:
  struct Member;

  Value() = default;  // nothing, `null`
  // NOLINTBEGIN(google-explicit-constructor): so that options are written as they are read
  Value(const char* text) : kind_(std::string(text)) {}
  Value(std::string text) : kind_(std::move(text)) {}
  Value(std::string_view text) : kind_(std::string(text)) {}
  Value(bool yes) : kind_(yes) {}
  template <std::integral Number>
  Value(Number number) : kind_(Digits{std::to_string(number)}) {}
  Value(std::initializer_list<Member> members);
  // NOLINTEND(google-explicit-constructor)
  static Value list();

  bool is_null() const { return std::holds_alternative<std::monostate>(kind_); }
  /// Of a value that is text.
  const std::string& text() const { return std::get<std::string>(kind_); }
  /// Of a list.
  bool empty() const { return std::get<List>(kind_).empty(); }
  /// The member of an object; made at the first call.
  Value& operator[](std::string_view name);
  /// Throws std::out_of_range where there is none.
  const Value& at(std::string_view name) const;
  void push_back(Value value);

  /// In one line. Nothing is checked: text that is not UTF-8 goes out as it is.
  std::string json() const;

 private:
  using Object = std::vector<std::pair<std::string, Value>>;
  using List = std::vector<Value>;
  struct Digits {
    std::string text;
  };

  void append_to(std::string& out) const;

  std::variant<std::monostate, std::string, bool, Digits, Object, List> kind_;
};

struct Value::Member {
  std::string name;
  Value value;
};

}  // namespace qlaunch::planner
