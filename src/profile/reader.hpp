// SPDX-License-Identifier: MIT
// One value of the tree into one member of the Profile, with a finding where it does not fit.
// Knows no sections and reads no files.
#pragma once

#include "core/diagnostic.hpp"
#include "profile/keys.hpp"
#include "profile/tree.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace qlaunch {

/// What values are read against: the variables, and the folder each source's paths start from.
struct ReadContext {
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::string home;
  std::map<const Source*, std::string> folders;
  std::vector<std::string> image_names;  // of the [[image]]s: no paths
};

class Reader {
 public:
  Reader(const ReadContext& context, std::vector<Diagnostic>& findings, Profile& profile)
      : context_(context), findings_(findings), profile_(profile) {}

  /// Reads one member's value with the key's setter; `path` is what Profile::places calls it.
  void read_key(const Key& key, const Node& node, void* object, std::string path);

  void read(const Key& key, const Node& node, std::string& out);
  void read(const Key& key, const Node& node, bool& out);
  void read(const Key& key, const Node& node, std::int64_t& out);
  void read(const Key& key, const Node& node, std::uint64_t& out);
  void read(const Key& key, const Node& node, Duration& out);
  void read(const Key& key, const Node& node, std::vector<std::string>& out);
  void read(const Key& key, const Node& node, std::map<std::string, std::string>& out);
  void read(const Key& key, const Node& node, std::vector<Forward>& out);
  void read(const Key& key, const Node& node, std::vector<AutoForward>& out);
  void read(const Key& key, const Node& node, ReadyWhen& out);

  template <class Value>
  void read(const Key& key, const Node& node, std::optional<Value>& out) {
    Value value{};
    const auto before = findings_.size();
    read(key, node, value);
    if (findings_.size() == before) out = value;
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void read(const Key& key, const Node& node, Enum& out) {
    if (const auto* choice = choose(key, node)) out = static_cast<Enum>(choice->value);
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void read(const Key& key, const Node& node, std::vector<Enum>& out) {
    const auto chosen = choose_several(key, node);
    // A list of nothing but mistakes does not count as empty.
    if (chosen.empty() && !node.items.empty()) return;
    out.clear();
    for (const auto* choice : chosen) out.push_back(static_cast<Enum>(choice->value));
  }

 private:
  const Choice* choose(const Key& key, const Node& node);
  std::vector<const Choice*> choose_several(const Key& key, const Node& node);
  bool fits(const Key& key, const Node& node, bool right);
  bool well_formed(const Key& key, const Node& node);
  std::optional<std::string> string_of(const Key& key, const Node& node);
  std::vector<std::pair<const Node*, std::string>> strings_of(const Key& key, const Node& node);
  std::optional<std::string> resolve_path(const Key& key, const Node& node);
  void add(const Node& node, const Problem& problem);
  void remember(const std::string& path, const Location& where) { profile_.places[path] = where; }

  const ReadContext& context_;
  std::vector<Diagnostic>& findings_;
  Profile& profile_;
  std::string path_;
};

/// The setter of a key: reads into this member of the section's object.
template <class Object, class Value>
Setter to(Value Object::*member) {
  return [member](void* object, const Key& key, const Node& node, Reader& reader) {
    reader.read(key, node, static_cast<Object*>(object)->*member);
  };
}

/// A Problem with one value as a finding at the exact part of it.
Diagnostic problem_at(const Node& node, const Problem& problem);

}  // namespace qlaunch
