// SPDX-License-Identifier: MIT
#include "profile/merge.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace qlaunch {
namespace {

std::string implied_name(std::string_view list, std::size_t index) {
  if (list == "disk" && index == 0) return "root";
  return (list == "disk" ? "disk" : "net") + std::to_string(index);
}

void name_list(Node& list, std::string_view path) {
  std::set<std::string> taken;
  for (const auto& element : list.items) {
    if (auto name = element.string_at("name")) taken.insert(std::move(*name));
  }
  for (std::size_t index = 0; index < list.items.size(); ++index) {
    auto& element = list.items[index];
    if (!element.is(Node::Kind::table) || element.member("name") != nullptr) continue;
    auto number = index;
    while (taken.contains(implied_name(path, number))) ++number;
    auto name = implied_name(path, number);
    taken.insert(name);
    element.members.push_back(
        {"name", element.where, make_string(std::move(name), element.where), true});
  }
}

void merge_tables(const Section* section, Node& base, Node&& over);

void merge_lists(const Section& section, Node& base, Node&& over) {
  const auto before = base.items.size();
  std::set<std::size_t> met;
  for (auto& element : over.items) {
    const auto identity = element_identity(section, element);
    std::size_t index = 0;
    while (index < before && (identity.empty() || met.contains(index) ||
                              element_identity(section, base.items[index]) != identity))
      ++index;
    if (index < before) {
      // Only once: a second one of that name in the same file is a mistake to be reported.
      met.insert(index);
      merge_tables(&section, base.items[index], std::move(element));
    } else {
      base.items.push_back(std::move(element));
    }
  }
  base.where = over.where;
}

void merge_member(const Section* section, Member& base, Member&& over) {
  const auto* child = section == nullptr ? nullptr : find_child(*section, over.key);
  const bool tables = base.value.is(Node::Kind::table) && over.value.is(Node::Kind::table);
  if (child != nullptr && child->shape == SectionShape::list && base.value.is(Node::Kind::array) &&
      over.value.is(Node::Kind::array)) {
    merge_lists(*child, base.value, std::move(over.value));
  } else if (tables) {
    // A section, or a map of the user's own (environment).
    merge_tables(child, base.value, std::move(over.value));
  } else {
    base.value = std::move(over.value);
  }
  base.key_place = over.key_place;
  base.implied = base.implied && over.implied;
}

void merge_tables(const Section* section, Node& base, Node&& over) {
  for (auto& member : over.members) {
    if (auto* existing = base.member(member.key)) {
      merge_member(section, *existing, std::move(member));
    } else {
      base.members.push_back(std::move(member));
    }
  }
  base.where = over.where;
}

}  // namespace

std::string element_identity(const Section& section, const Node& element) {
  if (!element.is(Node::Kind::table)) return {};
  switch (section.merge) {
    case MergeKey::name:
      return element.string_at("name").value_or("");
    case MergeKey::tag:
      return element.string_at("tag").value_or("");
    case MergeKey::name_and_arch: {
      const auto name = element.string_at("name");
      return name ? *name + '\n' + element.string_at("arch").value_or("x86_64") : std::string();
    }
    case MergeKey::none:
      break;
  }
  return {};
}

void name_elements(Node& root) {
  for (auto& member : root.members) {
    if ((member.key == "disk" || member.key == "network") && member.value.is(Node::Kind::array))
      name_list(member.value, member.key);
  }
}

void merge_over(Node& base, Node&& over) {
  merge_tables(find_section(""), base, std::move(over));
}

}  // namespace qlaunch
