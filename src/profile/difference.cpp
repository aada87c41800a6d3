// SPDX-License-Identifier: MIT
#include "profile/difference.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/keys.hpp"
#include "profile/merge.hpp"
#include "profile/toml_text.hpp"

#include <algorithm>
#include <memory>
#include <optional>

namespace qlaunch {
namespace {

const Node empty_table;
const Node empty_list = [] {
  Node node;
  node.kind = Node::Kind::array;
  return node;
}();

/// One spelling for each value.
std::string canonical(const Key& key, const Node& node) {
  switch (node.kind) {
    case Node::Kind::string:
      if (key.type == KeyType::size) return '"' + format_size(parse_size(node.text)) + '"';
      if (key.type == KeyType::duration)
        return '"' + format_duration(parse_duration(node.text)) + '"';
      if (key.type == KeyType::words) return '[' + toml_quote(node.text) + ']';
      return toml_quote(node.text);
    case Node::Kind::integer:
      if (key.type == KeyType::size)
        return '"' + format_size(static_cast<std::uint64_t>(node.integer)) + '"';
      return std::to_string(node.integer);
    case Node::Kind::real:
      return std::to_string(node.real);
    case Node::Kind::boolean:
      return node.boolean ? "true" : "false";
    case Node::Kind::date:
      return toml_quote(node.text);
    case Node::Kind::array: {
      std::vector<std::string> parts;
      for (const auto& item : node.items) parts.push_back(canonical(key, item));
      return '[' + join(parts, ", ") + ']';
    }
    case Node::Kind::table:
      break;
  }
  std::vector<std::string> parts;
  for (const auto& member : node.members)
    parts.push_back(member.key + " = " + canonical(key, member.value));
  std::sort(parts.begin(), parts.end());
  return "{" + join(parts, ", ") + "}";
}

std::string default_of(const Key& key) {
  if (key.fallback.empty()) return {};
  const auto source = std::make_shared<Source>(Source{"default", std::string(key.fallback)});
  const auto value = parse_toml_value(source, source->text, 0);
  return value ? canonical(key, *value) : std::string(key.fallback);
}

/// The list of networks that a profile without any has.
void complete(Node& root) {
  if (root.member("network") != nullptr) return;
  Node network;
  network.members.push_back({"name", {}, make_string("net0", {}), true});
  Node forward = empty_list;
  forward.items.push_back(make_string("auto:22", {}));
  network.members.push_back({"forward", {}, std::move(forward), true});
  Node list = empty_list;
  list.items.push_back(std::move(network));
  root.members.push_back({"network", {}, std::move(list), true});
}

class Comparison {
 public:
  void sections(const Section& section, const Node& before, const Node& after,
                const std::string& at) {
    keys(section, before, after, at);
    for (const auto& child : profile_sections()) {
      if (&child == &section || child.path.empty()) continue;
      const auto name = std::string(child.path.substr(child.path.rfind('.') + 1));
      if (find_child(section, name) != &child) continue;
      const auto inner = at.empty() ? name : at + '.' + name;
      const auto* old_value = before.find(name);
      const auto* new_value = after.find(name);
      if (old_value == nullptr && new_value == nullptr) continue;
      const bool list = child.shape == SectionShape::list;
      const auto& nothing = list ? empty_list : empty_table;
      const auto& left = old_value == nullptr ? nothing : *old_value;
      const auto& right = new_value == nullptr ? nothing : *new_value;
      if (list) {
        elements(child, left, right, inner);
      } else {
        sections(child, left, right, inner);
      }
    }
  }

  std::vector<KeyChange> take() { return std::move(changes_); }

 private:
  void keys(const Section& section, const Node& before, const Node& after, const std::string& at) {
    for (const auto& key : section.keys) {
      // What a profile builds on shows in what it then says.
      if (section.path.empty() && key.name == "extends") continue;
      if (section.shape == SectionShape::list && key.name == section.element_key()) continue;
      const auto* left = before.member(key.name);
      const auto* right = after.member(key.name);
      if (left == nullptr && right == nullptr) continue;
      const auto name = std::string(key.name);
      const auto inner = at.empty() ? name : at + '.' + name;
      const auto path = section.path.empty() ? name : std::string(section.path) + '.' + name;
      if (key.type == KeyType::map) {
        map(key, left == nullptr ? empty_table : left->value,
            right == nullptr ? empty_table : right->value, inner, path);
      } else {
        value(key, left, right, inner, path);
      }
    }
  }

  void value(const Key& key, const Member* left, const Member* right, const std::string& at,
             const std::string& path) {
    // An entry of a table of the user's own has none.
    const auto fallback = key.type == KeyType::map ? std::string() : default_of(key);
    KeyChange change;
    change.key = at;
    change.path = path;
    change.before_is_default = left == nullptr && !fallback.empty();
    change.after_is_default = right == nullptr && !fallback.empty();
    change.before = left == nullptr ? fallback : canonical(key, left->value);
    change.after = right == nullptr ? fallback : canonical(key, right->value);
    if (change.before == change.after) return;
    change.where = right != nullptr ? right->value.where : left->value.where;
    changes_.push_back(std::move(change));
  }

  void map(const Key& key, const Node& before, const Node& after, const std::string& at,
           const std::string& path) {
    for (const auto& member : after.members)
      value(key, before.member(member.key), &member, at + '.' + member.key, path);
    for (const auto& member : before.members) {
      if (after.member(member.key) == nullptr)
        value(key, &member, nullptr, at + '.' + member.key, path);
    }
  }

  /// How an element is called in a change; what has no name is called by its number.
  static std::string called(const Section& section, const Node& element, std::size_t index) {
    if (section.merge == MergeKey::none) return '[' + std::to_string(index) + ']';
    auto name = '.' + element.string_at(section.element_key()).value_or(std::to_string(index));
    const auto arch = element.string_at("arch");
    if (section.merge == MergeKey::name_and_arch && arch && *arch != "x86_64") name += '.' + *arch;
    return name;
  }

  void elements(const Section& section, const Node& before, const Node& after,
                const std::string& at) {
    const auto names = [&](const Node& list) {
      std::vector<std::string> out;
      for (std::size_t index = 0; index < list.items.size(); ++index)
        out.push_back(called(section, list.items[index], index));
      return out;
    };
    const auto old_names = names(before);
    const auto new_names = names(after);
    const auto place = [](const std::vector<std::string>& all, const std::string& name) {
      return static_cast<std::size_t>(std::find(all.begin(), all.end(), name) - all.begin());
    };
    const auto whole = [&](KeyChange::Kind kind, const std::string& name, const Node& element) {
      changes_.push_back(
          {at + name, std::string(section.path), kind, "", "", false, false, element.where});
    };
    std::vector<std::string> old_common, new_common;
    for (std::size_t index = 0; index < new_names.size(); ++index) {
      const auto& element = after.items[index];
      const auto old_index = place(old_names, new_names[index]);
      const bool added = old_index == old_names.size();
      if (added) {
        whole(KeyChange::Kind::added, new_names[index], element);
      } else {
        new_common.push_back(new_names[index]);
      }
      sections(section, added ? empty_table : before.items[old_index], element,
               at + new_names[index]);
    }
    for (std::size_t index = 0; index < old_names.size(); ++index) {
      if (place(new_names, old_names[index]) == new_names.size()) {
        whole(KeyChange::Kind::removed, old_names[index], before.items[index]);
      } else {
        old_common.push_back(old_names[index]);
      }
    }
    if (old_common == new_common) return;
    const auto listed = [](std::vector<std::string> all) {
      for (auto& name : all) name = toml_quote(name.substr(1));
      return '[' + join(all, ", ") + ']';
    };
    changes_.push_back({at, std::string(section.path), KeyChange::Kind::order, listed(old_common),
                        listed(new_common), false, false, after.where});
  }

  std::vector<KeyChange> changes_;
};

}  // namespace

std::vector<KeyChange> profile_changes(const LoadedProfile& before, const LoadedProfile& after) {
  auto left = before.tree;
  auto right = after.tree;
  complete(left);
  complete(right);
  Comparison comparison;
  comparison.sections(*find_section(""), left, right, "");
  return comparison.take();
}

}  // namespace qlaunch
