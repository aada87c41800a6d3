// SPDX-License-Identifier: MIT
#include "cli/qmp_schema.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using QmpJson = nlohmann::json;
using Types = std::map<std::string, const QmpJson*>;

QmpKind kind_of(const QmpJson& type) {
  const auto meta = type.value("meta-type", "");
  if (meta == "enum") return QmpKind::text;
  if (meta != "builtin") return QmpKind::other;
  const auto json = type.value("json-type", "");
  if (json == "string") return QmpKind::text;
  if (json == "int") return QmpKind::integer;
  if (json == "number") return QmpKind::number;
  if (json == "boolean") return QmpKind::boolean;
  return QmpKind::other;
}

std::vector<std::string> values_of(const QmpJson& type) {
  const auto meta = type.value("meta-type", "");
  if (meta == "builtin" && type.value("json-type", "") == "boolean") return {"false", "true"};
  std::vector<std::string> values;
  if (meta != "enum") return values;
  // `values` in older QEMUs, `members` besides it since 6.2.
  if (type.contains("values")) return type.at("values").get<std::vector<std::string>>();
  for (const auto& member : type.value("members", QmpJson::array()))
    values.push_back(member.value("name", ""));
  return values;
}

const QmpJson& type_named(const Types& types, const std::string& name) {
  static const QmpJson nothing = QmpJson::object();
  const auto found = types.find(name);
  return found == types.end() ? nothing : *found->second;
}

}  // namespace

QmpSchema::QmpSchema(const QmpJson& schema) {
  Types types;
  for (const auto& entry : schema) types[entry.value("name", "")] = &entry;
  const auto add = [&](std::vector<Argument>& all, const QmpJson& object, bool common) {
    for (const auto& member : object.value("members", QmpJson::array())) {
      const auto& type = type_named(types, member.value("type", ""));
      all.push_back({member.value("name", ""), kind_of(type), values_of(type),
                     member.contains("default"), common});
    }
  };
  for (const auto& entry : schema) {
    if (entry.value("meta-type", "") != "command") continue;
    auto& arguments = commands_[entry.value("name", "")];
    const auto& object = type_named(types, entry.value("arg-type", ""));
    add(arguments, object, true);
    for (const auto& variant : object.value("variants", QmpJson::array()))
      add(arguments, type_named(types, variant.value("type", "")), false);
    std::stable_sort(arguments.begin(), arguments.end(), [](const auto& left, const auto& right) {
      return left.optional < right.optional;
    });
  }
}

std::vector<std::string> QmpSchema::commands() const {
  std::vector<std::string> names;
  names.reserve(commands_.size());
  for (const auto& [name, arguments] : commands_) names.push_back(name);
  return names;
}

std::vector<std::string> QmpSchema::arguments(const std::string& command) const {
  std::vector<std::string> names;
  const auto found = commands_.find(command);
  if (found == commands_.end()) return names;
  for (const auto& argument : found->second) {
    if (argument.common) names.push_back(argument.name);
  }
  return names;
}

const QmpSchema::Argument* QmpSchema::find(const std::string& command,
                                           const std::string& argument) const {
  const auto found = commands_.find(command);
  if (found == commands_.end()) return nullptr;
  const auto at = std::find_if(found->second.begin(), found->second.end(),
                               [&](const auto& each) { return each.name == argument; });
  return at == found->second.end() ? nullptr : &*at;
}

std::vector<std::string> QmpSchema::values(const std::string& command,
                                           const std::string& argument) const {
  const auto* found = find(command, argument);
  return found == nullptr ? std::vector<std::string>{} : found->values;
}

QmpKind QmpSchema::kind(const std::string& command, const std::string& argument) const {
  const auto* found = find(command, argument);
  return found == nullptr ? QmpKind::other : found->kind;
}

}  // namespace qlaunch
