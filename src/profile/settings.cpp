// SPDX-License-Identifier: MIT
#include "profile/settings.hpp"

#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "profile/keys.hpp"
#include "profile/merge.hpp"
#include "profile/toml_text.hpp"
#include "profile/unknown.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

int characters(std::string_view text) {
  return static_cast<int>(decode_utf8_lossy(text).size());
}

class Setting {
 public:
  Setting(const SourcePtr& source, std::vector<Diagnostic>& findings)
      : source_(source), findings_(findings), words_(source->text) {}

  void apply(Node& root) {
    const auto equals = words_.find('=');
    if (equals == std::string_view::npos) {
      complain(0, words_.size(), in_backticks(words_) + " sets nothing: there is no `=`",
               "write KEY=VALUE, as in machine.memory=4GiB");
      return;
    }
    path_ = words_.substr(0, equals);
    value_ = words_.substr(equals + 1);
    parts_ = split(path_, '.');
    if (std::any_of(parts_.begin(), parts_.end(), [](const auto& part) { return part.empty(); })) {
      complain(0, path_.size(), in_backticks(path_) + " is not a key",
               "write SECTION.KEY=VALUE, as in machine.memory=4GiB");
      return;
    }
    find_target(root);
  }

 private:
  Location place(std::size_t offset, std::size_t length) const {
    return {source_, 1, 1 + characters(words_.substr(0, offset)),
            std::max(1, characters(words_.substr(offset, length)))};
  }

  void complain(std::size_t offset, std::size_t length, std::string message, std::string help) {
    findings_.push_back(
        error_at(place(offset, length), std::move(message)).with_help(std::move(help)));
  }

  /// Where in the words the part with this index begins.
  std::size_t offset_of(std::size_t part) const {
    std::size_t offset = 0;
    for (std::size_t index = 0; index < part; ++index) offset += parts_[index].size() + 1;
    return offset;
  }

  std::string rest_from(std::size_t part) const {
    return std::string(path_.substr(offset_of(part)));
  }

  void find_target(Node& root) {
    const auto* top = find_section("");
    const auto* section = find_child(*top, parts_[0]);
    if (section == nullptr) {
      const auto* key = top->key(parts_[0]);
      if (key != nullptr && !key->set) {
        complain(0, path_.size(), in_backticks(parts_[0]) + " cannot be set from outside",
                 "write it into the profile");
      } else if (key != nullptr && parts_.size() == 1) {
        put(root, *key);
      } else if (key != nullptr) {
        complain(0, path_.size(), in_backticks(parts_[0]) + " is a key, no section",
                 "write " + parts_[0] + "=VALUE");
      } else if (parts_.size() == 1) {
        findings_.push_back(unknown_key(*top, parts_[0], place(0, path_.size())));
      } else {
        findings_.push_back(unknown_section(parts_[0], false, place(0, parts_[0].size())));
      }
      return;
    }
    if (parts_.size() == 1) {
      complain(0, path_.size(), in_backticks(parts_[0]) + " is a section, no key",
               "write " + parts_[0] + (section->shape == SectionShape::list ? ".NAME" : "") +
                   ".KEY=VALUE");
      return;
    }
    if (section->shape == SectionShape::list) {
      in_list(root, *section);
    } else {
      in_table(table_in(root, parts_[0]), *section, 1);
    }
  }

  void in_table(Node* table, const Section& section, std::size_t part) {
    if (table == nullptr) return;  // it is no table, and that is reported where it is read
    if (const auto* key = section.key(parts_[part])) {
      if (part + 1 == parts_.size()) {
        put(*table, *key);
      } else if (key->type == KeyType::map) {
        if (auto* map = table_in(*table, parts_[part]))
          put_node(*map, rest_from(part + 1), text_node());
      } else {
        complain(0, path_.size(), in_backticks(path_) + " goes deeper than `" + parts_[part] + '`',
                 "write " + std::string(path_.substr(0, offset_of(part + 1) - 1)) + "=VALUE");
      }
      return;
    }
    const auto* child = find_child(section, parts_[part]);
    if (child != nullptr && child->shape == SectionShape::list) {
      no_names(*child);
    } else if (child != nullptr && part + 1 < parts_.size()) {
      in_table(table_in(*table, parts_[part]), *child, part + 1);
    } else {
      findings_.push_back(
          unknown_key(section, parts_[part], place(offset_of(part), parts_[part].size())));
    }
  }

  void no_names(const Section& section) {
    complain(0, path_.size(), "the elements of " + section.heading() + " have no names",
             "write them into a profile, which may extend this one");
  }

  void in_list(Node& root, const Section& section) {
    if (section.merge == MergeKey::none) return no_names(section);
    auto* member = root.member(section.path);
    if (member != nullptr && !member->value.is(Node::Kind::array)) return;
    if (parts_.size() == 2) {
      auto example = std::string(section.path) + '.' + parts_[1] + ".KEY=VALUE";
      if (section.key(parts_[1]) != nullptr)
        example = std::string(section.path) + ".NAME." + parts_[1] + "=VALUE";
      complain(0, path_.size(),
               in_backticks(path_) + " does not say which " + std::string(section.path) +
                   " or which key",
               "write " + example + names_help(member, section, "; "));
      return;
    }
    // The last part is the key, so that tags and names may have dots.
    const auto last = parts_.size() - 1;
    const auto name_offset = offset_of(1);
    const auto name = std::string(path_.substr(name_offset, offset_of(last) - 1 - name_offset));
    const auto* key = section.key(parts_[last]);
    if (key == nullptr) {
      findings_.push_back(
          unknown_key(section, parts_[last], place(offset_of(last), parts_[last].size())));
      return;
    }
    bool found = false;
    if (member == nullptr && section.path == "network" && name == "net0") {
      // Every profile has this one, written or not.
      Node element;
      element.where = place(0, path_.size());
      element.members.push_back({"name", element.where, make_string("net0", element.where), true});
      if (key->name != "forward") {
        Node forwards;
        forwards.kind = Node::Kind::array;
        forwards.where = element.where;
        forwards.items.push_back(make_string("auto:22", element.where));
        element.members.push_back({"forward", element.where, std::move(forwards), true});
      }
      Node list;
      list.kind = Node::Kind::array;
      list.where = element.where;
      list.items.push_back(std::move(element));
      root.members.push_back({"network", list.where, std::move(list)});
      member = &root.members.back();
    }
    if (member != nullptr) {
      for (auto& element : member->value.items) {
        if (element.string_at(section.element_key()) != name) continue;
        put(element, *key);
        found = true;
      }
    }
    if (!found) {
      auto finding =
          error_at(place(name_offset, name.size()),
                   "there is no " + std::string(section.path) + ' ' + in_backticks(name));
      finding.help.push_back(names_help(member, section, ""));
      findings_.push_back(std::move(finding));
    }
  }

  static std::string names_help(const Member* list, const Section& section,
                                std::string_view opening) {
    std::vector<std::string> names;
    if (list != nullptr) {
      for (const auto& element : list->value.items) {
        if (auto name = element.string_at(section.element_key()))
          names.push_back(in_backticks(*name));
      }
    }
    if (names.empty()) return std::string(opening) + "the profile has no " + section.heading();
    return std::string(opening) + "the profile has " + enumerate(names);
  }

  /// The table of this name, made where there is none; null where something else has the name.
  Node* table_in(Node& parent, const std::string& name) {
    auto* member = parent.member(name);
    if (member == nullptr) {
      Node table;
      table.where = place(0, path_.size());
      parent.members.push_back({name, table.where, std::move(table)});
      member = &parent.members.back();
    }
    return member->value.is(Node::Kind::table) ? &member->value : nullptr;
  }

  void put(Node& table, const Key& key) {
    if (auto value = value_node(key)) put_node(table, std::string(key.name), std::move(*value));
  }

  void put_node(Node& table, const std::string& name, Node&& value) {
    auto* member = table.member(name);
    if (member == nullptr) {
      table.members.push_back({name, {}, {}});
      member = &table.members.back();
    }
    member->key_place = place(0, path_.size());
    member->value = std::move(value);
    member->implied = false;
  }

  std::size_t value_offset() const { return path_.size() + 1; }

  Node bare(std::string_view text, std::size_t offset) const {
    return make_string(std::string(text), place(offset, text.size()));
  }

  Node text_node() const {
    const bool quoted = value_.starts_with('"') || value_.starts_with('\'');
    if (quoted) {
      auto node = toml_node();
      if (node && node->is(Node::Kind::string)) return *node;
    }
    return bare(value_, value_offset());
  }

  std::optional<Node> toml_node() const {
    return parse_toml_value(source_, value_, characters(words_.substr(0, value_offset())));
  }

  std::optional<Node> value_node(const Key& key) {
    switch (key.type) {
      case KeyType::boolean:
      case KeyType::integer:
        if (auto node = toml_node()) return node;
        return bare(value_, value_offset());
      case KeyType::strings:
      case KeyType::choices:
      case KeyType::words:
        return list_node();
      case KeyType::map:
        if (auto node = toml_node()) return node;
        return bare(value_, value_offset());
      case KeyType::string:
      case KeyType::size:
      case KeyType::duration:
      case KeyType::choice:
        break;
    }
    return text_node();
  }

  std::optional<Node> list_node() {
    if (trim(value_).starts_with('[')) {
      if (auto node = toml_node()) return node;
      complain(value_offset(), value_.size(), in_backticks(value_) + " is not a TOML list",
               "write [\"a\", \"b\"] in quotes for the shell, or a,b");
      return std::nullopt;
    }
    Node list;
    list.kind = Node::Kind::array;
    list.where = place(value_offset(), value_.size());
    if (trim(value_).empty()) return list;
    auto offset = value_offset();
    for (const auto& part : split(value_, ',')) {
      const auto text = trim(part);
      const auto inner = text.empty() ? 0 : static_cast<std::size_t>(text.data() - part.data());
      list.items.push_back(bare(text, offset + inner));
      offset += part.size() + 1;
    }
    return list;
  }

  const SourcePtr& source_;
  std::vector<Diagnostic>& findings_;
  std::string_view words_, path_, value_;
  std::vector<std::string> parts_;
};

}  // namespace

void apply_setting(Node& root, const SourcePtr& source, std::vector<Diagnostic>& findings) {
  Setting(source, findings).apply(root);
}

}  // namespace qlaunch
