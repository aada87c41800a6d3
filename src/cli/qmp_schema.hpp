// SPDX-License-Identifier: MIT
// What query-qmp-schema says of commands and their arguments, as far as typing them needs it.
// Does not check arguments: QEMU does.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace qlaunch {

enum class QmpKind { text, integer, number, boolean, other };

class QmpSchema {
 public:
  QmpSchema() = default;
  explicit QmpSchema(const nlohmann::json& schema);

  /// Sorted.
  std::vector<std::string> commands() const;
  bool has(const std::string& command) const { return commands_.contains(command); }
  /// The names of its arguments, those that must be there first.
  std::vector<std::string> arguments(const std::string& command) const;
  /// The words that the argument can be; empty where it is not a choice.
  std::vector<std::string> values(const std::string& command, const std::string& argument) const;
  /// `other` for what is unknown or built of parts.
  QmpKind kind(const std::string& command, const std::string& argument) const;

 private:
  struct Argument {
    std::string name;
    QmpKind kind = QmpKind::other;
    std::vector<std::string> values;
    bool optional = false;
    bool common = true;  // not only with some value of another argument
  };
  const Argument* find(const std::string& command, const std::string& argument) const;

  std::map<std::string, std::vector<Argument>> commands_;
};

}  // namespace qlaunch
