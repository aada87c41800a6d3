// SPDX-License-Identifier: MIT
// What a QEMU can do, as it says itself: which commands, arguments, values and events it knows.
// Does not ask: `query-qmp-schema` gives 200 KB of JSON, and this keeps a tenth of it, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace qmp {

/// A value that can be kept as text and loaded again, next to the binary it is about.
///
/// Paths name an argument: `id`, or `file.driver` for a member of an argument. Members that exist
/// only for one value of another (the options of one driver) count like all others. `[]` needs not
/// be written for lists.
class Schema {
 public:
  /// Knows nothing.
  Schema() = default;
  /// From the reply to `query-qmp-schema`. Throws Malformed.
  static Schema parse(const nlohmann::json& reply);
  /// From what text() gave. Throws Malformed, also for text of another version of this library.
  static Schema load(std::string text);
  [[nodiscard]] const std::string& text() const { return text_; }

  [[nodiscard]] bool has_command(std::string_view name) const;
  [[nodiscard]] bool has_event(std::string_view name) const;
  /// Whether the command may be executed out of band.
  [[nodiscard]] bool allows_oob(std::string_view command) const;
  [[nodiscard]] bool has_argument(std::string_view command, std::string_view path) const;
  /// Whether the argument is an enumeration that has this value.
  [[nodiscard]] bool has_value(std::string_view command, std::string_view path,
                               std::string_view value) const;

  [[nodiscard]] std::vector<std::string> commands() const;
  [[nodiscard]] std::vector<std::string> events() const;

 private:
  using Type = std::uint32_t;

  void index();
  [[nodiscard]] std::string_view line(std::size_t number) const;
  [[nodiscard]] std::string_view find(char kind, std::string_view name) const;
  void reach(Type type, std::string_view path, std::size_t depth, std::vector<Type>& found) const;
  [[nodiscard]] std::vector<Type> types_at(std::string_view command, std::string_view path) const;

  // The text is the table: a line for each type, by its number, then commands and events in the
  // order of their names. `O name:type ...` an object, `A type` a list, `E value ...` an
  // enumeration, `U type ...` alternatives, `B` anything else; `C name type[ oob]`, `V name`.
  std::string text_;
  std::vector<std::uint32_t> starts_;  // of the lines behind the first
  std::size_t types_ = 0;              // how many of them are types
};

}  // namespace qmp
