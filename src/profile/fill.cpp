// SPDX-License-Identifier: MIT
#include "profile/fill.hpp"

#include "core/quote.hpp"
#include "profile/unknown.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

/// Keys of one section that this version checks and does nothing with: one warning for all.
struct Later {
  std::vector<std::string> keys;
  Location first;
};

class Filler {
 public:
  Filler(Profile& profile, const ReadContext& context, std::vector<Diagnostic>& findings)
      : profile_(profile), findings_(findings), reader_(context, findings, profile) {}

  void fill(const Section& section, const Node& table, void* object, const std::string& path) {
    for (const auto& member : table.members) {
      const auto inner = path.empty() ? member.key : path + '.' + member.key;
      if (const auto* key = section.key(member.key)) {
        reader_.read_key(*key, member.value, object, inner);
        if (member.implied) forget(inner);
        note_later(section, *key, member);
      } else if (const auto* child = find_child(section, member.key)) {
        enter(*child, member, inner);
      } else {
        unknown(section, member, path);
      }
    }
    for (const auto& key : section.keys) {
      const auto inner = path.empty() ? std::string(key.name) : path + '.' + std::string(key.name);
      if (key.required && !profile_.is_set(inner)) missing(section, key, table);
    }
  }

  void warn() {
    for (const auto& [section, later] : later_) {
      auto message = enumerate(later.keys) + (later.keys.size() == 1 ? " is" : " are") +
                     " checked, but this version does not act on " +
                     (later.keys.size() == 1 ? "it" : "them");
      findings_.push_back(warning_at(later.first, std::move(message)));
    }
  }

 private:
  void enter(const Section& section, const Member& member, const std::string& path) {
    const auto& value = member.value;
    if (section.shape == SectionShape::table) {
      if (value.is(Node::Kind::table)) {
        profile_.places[path] = value.where;
        fill(section, value, section.object(profile_), path);
        return;
      }
      const bool list_of_one = value.is(Node::Kind::array) && !value.items.empty() &&
                               value.items.front().is(Node::Kind::table);
      findings_.push_back(
          error_at(value.where, in_backticks(section.path) + " is a section, not " +
                                    std::string(kind_words(value.kind)))
              .with_help(list_of_one ? "there is only one of it: write " + section.heading()
                                     : "write " + section.heading() + " on a line of its own"));
      return;
    }
    if (value.is(Node::Kind::table)) {
      findings_.push_back(
          error_at(value.where, in_backticks(section.path) + " is a list")
              .with_help("write " + section.heading() + ", once for each: there may be several"));
      element(section, value, path + "[0]");
      return;
    }
    if (!value.is(Node::Kind::array)) {
      findings_.push_back(error_at(value.where, in_backticks(section.path) +
                                                    " is a list of sections, not " +
                                                    std::string(kind_words(value.kind)))
                              .with_help("write " + section.heading() + " on a line of its own"));
      return;
    }
    std::size_t index = 0;
    for (const auto& item : value.items) {
      if (!item.is(Node::Kind::table)) {
        findings_.push_back(error_at(item.where, in_backticks(section.path) +
                                                     " holds tables, not " +
                                                     std::string(kind_words(item.kind)))
                                .with_help("write " + section.heading() + " on a line of its own"));
        continue;
      }
      element(section, item, path + '[' + std::to_string(index++) + ']');
    }
  }

  void element(const Section& section, const Node& item, const std::string& path) {
    profile_.places[path] = item.where;
    fill(section, item, section.object(profile_), path);
  }

  void missing(const Section& section, const Key& key, const Node& table) {
    auto finding = error_at(table.where, section.heading() + " has no " + in_backticks(key.name));
    finding.help.push_back("add a line such as: " + std::string(key.example));
    findings_.push_back(std::move(finding));
  }

  void unknown(const Section& section, const Member& member, const std::string& path) {
    const auto& value = member.value;
    const bool tables = value.is(Node::Kind::array) && !value.items.empty() &&
                        value.items.front().is(Node::Kind::table);
    if (!value.is(Node::Kind::table) && !tables) {
      findings_.push_back(unknown_key(section, member.key, member.key_place));
      // The key that was meant is not missing as well.
      if (const auto meant = likely_key(section, member.key))
        profile_.places.emplace(path.empty() ? *meant : path + '.' + *meant, member.key_place);
      return;
    }
    auto name = member.key;
    if (!section.path.empty()) name = std::string(section.path) + '.' + name;
    findings_.push_back(unknown_section(name, tables, member.key_place));
  }

  void note_later(const Section& section, const Key& key, const Member& member) {
    if (member.implied) return;
    const auto& value = member.value;
    auto text = std::string(section.path) + '.' + std::string(key.name);
    if (key.later) {
      // What says the same as the default asks for nothing.
      if (value.is(Node::Kind::boolean) && key.fallback == (value.boolean ? "true" : "false"))
        return;
      if (value.is(Node::Kind::array) && value.items.empty()) return;
    } else {
      const auto choice =
          std::find_if(key.choices.begin(), key.choices.end(), [&](const Choice& each) {
            return each.later && value.is(Node::Kind::string) && each.word == value.text;
          });
      if (choice == key.choices.end()) return;
      text += " = \"" + std::string(choice->word) + '"';
    }
    const auto group = std::string(section.path.substr(0, section.path.find('.')));
    text = in_backticks(text);
    auto found = std::find_if(later_.begin(), later_.end(),
                              [&](const auto& each) { return each.first == group; });
    if (found == later_.end()) {
      later_.emplace_back(group, Later{{}, member.key_place});
      found = std::prev(later_.end());
    }
    auto& keys = found->second.keys;
    if (std::find(keys.begin(), keys.end(), text) == keys.end()) keys.push_back(std::move(text));
  }

  /// What a rule gave stands in no file.
  void forget(const std::string& path) {
    std::erase_if(profile_.places, [&](const auto& place) {
      return place.first == path || place.first.starts_with(path + '[');
    });
  }

  Profile& profile_;
  std::vector<Diagnostic>& findings_;
  Reader reader_;
  std::vector<std::pair<std::string, Later>> later_;
};

}  // namespace

void fill_profile(Profile& profile, const Node& root, const ReadContext& context,
                  std::vector<Diagnostic>& findings) {
  Filler filler(profile, context, findings);
  const auto* top = find_section("");
  filler.fill(*top, root, top->object(profile), "");
  profile.guest.present = root.member("guest") != nullptr;
  filler.warn();
}

}  // namespace qlaunch
