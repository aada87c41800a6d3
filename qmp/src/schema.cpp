// SPDX-License-Identifier: MIT
#include "qmp/schema.hpp"

#include "qmp/error.hpp"
#include "wire.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <nlohmann/json.hpp>

namespace qmp {

using nlohmann::json;

namespace {

constexpr std::string_view heading = "qmp-schema 1\n";

[[noreturn]] void no_schema(const char* reason) {
  throw Malformed(std::string("this is no QMP schema: ") + reason);
}

/// Takes the next word off a line.
std::string_view word_of(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint32_t> number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// What QAPI allows in names, and what separates them here it does not.
const std::string& checked(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c <= '~' && c != ':';
  });
  if (!plain) no_schema("a name is not one");
  return name;
}

/// Turns entities into lines. Their names are numbers already in QEMU's reply, and mean nothing.
class Writer {
 public:
  explicit Writer(const json& reply) {
    for (const auto& entity : reply) {
      const auto kind = string_or(entity, "meta-type", "");
      const auto name = entity.at("name").get<std::string>();
      if (kind == "command") {
        commands_.emplace(checked(name), &entity);
      } else if (kind == "event") {
        events_.insert(checked(name));
      } else {
        numbers_.emplace(name, static_cast<std::uint32_t>(types_.size()));
        types_.push_back(&entity);
      }
    }
  }

  std::string text() const {
    std::string text(heading);
    for (const auto* entity : types_) text += type_line(*entity) + '\n';
    for (const auto& [name, entity] : commands_) {
      text += "C " + name + ' ' + number(entity->at("arg-type"));
      if (entity->value("allow-oob", false)) text += " oob";
      text += '\n';
    }
    for (const auto& name : events_) text += "V " + name + '\n';
    return text;
  }

 private:
  std::string number(const json& type) const {
    const auto found = numbers_.find(type.get_ref<const std::string&>());
    if (found == numbers_.end()) no_schema("a type is missing");
    return std::to_string(found->second);
  }

  std::string type_line(const json& entity) const {
    const auto kind = string_or(entity, "meta-type", "");
    if (kind == "array") return "A " + number(entity.at("element-type"));
    if (kind == "enum") {
      std::string line = "E";
      for (const auto& value : entity.at("values")) {
        line += ' ' + checked(value.get<std::string>());
      }
      return line;
    }
    if (kind == "alternate") {
      std::string line = "U";
      for (const auto& member : entity.at("members")) line += ' ' + number(member.at("type"));
      return line;
    }
    if (kind != "object") return "B";
    std::string line = "O";
    for (const auto& member : entity.at("members")) {
      line += ' ' + checked(member.at("name").get<std::string>()) + ':' + number(member.at("type"));
    }
    // The members of a variant belong to the same object: `:type` stands for all of them.
    std::set<std::string> variants;
    for (const auto& variant : entity.value("variants", json::array())) {
      variants.insert(number(variant.at("type")));
    }
    for (const auto& variant : variants) line += " :" + variant;
    return line;
  }

  std::vector<const json*> types_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::map<std::string, const json*> commands_;
  std::set<std::string> events_;
};

}  // namespace

Schema Schema::parse(const json& reply) {
  if (!reply.is_array()) no_schema("it is not a list");
  try {
    return load(Writer(reply).text());
  } catch (const json::exception& problem) {
    no_schema(problem.what());
  }
}

Schema Schema::load(std::string text) {
  Schema schema;
  schema.text_ = std::move(text);
  schema.index();
  return schema;
}

void Schema::index() {
  if (text_.rfind(heading, 0) != 0) no_schema("its heading is another");
  if (text_.back() != '\n') no_schema("it is cut off");
  if (text_.size() > (std::size_t{64} << 20)) no_schema("it is too long");
  for (auto at = heading.size(); at < text_.size(); at = text_.find('\n', at) + 1) {
    starts_.push_back(static_cast<std::uint32_t>(at));
  }
  // Types first, then commands, then events: each part is found by its letter.
  const auto is_type = [&](std::uint32_t at) { return text_[at] != 'C' && text_[at] != 'V'; };
  const auto end = std::partition_point(starts_.begin(), starts_.end(), is_type);
  if (!std::is_partitioned(starts_.begin(), starts_.end(), is_type)) {
    no_schema("its lines are not in order");
  }
  types_ = static_cast<std::size_t>(end - starts_.begin());
  for (std::size_t i = types_; i + 1 < starts_.size(); ++i) {
    if (line(i) >= line(i + 1)) no_schema("its lines are not in order");
  }
}

std::string_view Schema::line(std::size_t number) const {
  const std::size_t start = starts_[number];
  return std::string_view(text_).substr(start, text_.find('\n', start) - start);
}

/// What stands behind the name on its line; a view without data where there is no such line.
std::string_view Schema::find(char kind, std::string_view name) const {
  const std::string wanted = std::string{kind, ' '} + std::string(name);
  std::size_t low = types_;
  std::size_t high = starts_.size();
  while (low < high) {
    const auto middle = (low + high) / 2;
    auto candidate = line(middle);
    // Up to the end of the name: what follows it does not count for the order.
    candidate = candidate.substr(0, std::min(candidate.find(' ', 2), candidate.size()));
    if (candidate < wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == starts_.size()) return {};
  auto rest = line(low);
  if (word_of(rest) != std::string_view(&kind, 1) || word_of(rest) != name) return {};
  return {rest.data(), rest.size()};
}

void Schema::reach(Type type, std::string_view path, std::size_t depth,
                   std::vector<Type>& found) const {
  // QEMU's types refer to each other in circles; a path is followed through lists and
  // alternatives, none of which lie deep.
  constexpr std::size_t deep = 32;
  if (type >= types_ || depth > deep) return;
  auto rest = line(type);
  const auto kind = word_of(rest);
  const auto into = [&](std::string_view number, std::string_view where) {
    if (const auto next = number_of(number)) reach(*next, where, depth + 1, found);
  };
  if (kind == "A" || kind == "U") {
    if (path.empty() && kind == "U") found.push_back(type);
    while (!rest.empty()) into(word_of(rest), path);
    return;
  }
  if (path.empty()) {
    found.push_back(type);
    return;
  }
  if (kind != "O") return;
  const auto dot = std::min(path.find('.'), path.size());
  const auto name = path.substr(0, dot);
  const auto below = path.substr(std::min(dot + 1, path.size()));
  while (!rest.empty()) {
    const auto member = word_of(rest);
    const auto colon = std::min(member.find(':'), member.size());
    const auto number = member.substr(std::min(colon + 1, member.size()));
    if (colon == 0) {
      into(number, path);
    } else if (member.substr(0, colon) == name) {
      into(number, below);
    }
  }
}

std::vector<Schema::Type> Schema::types_at(std::string_view command, std::string_view path) const {
  std::vector<Type> found;
  auto rest = find('C', command);
  if (const auto type = number_of(word_of(rest)); type && !path.empty()) {
    reach(*type, path, 0, found);
  }
  return found;
}

bool Schema::has_command(std::string_view name) const {
  return find('C', name).data() != nullptr;
}

bool Schema::has_event(std::string_view name) const {
  return find('V', name).data() != nullptr;
}

bool Schema::allows_oob(std::string_view command) const {
  auto rest = find('C', command);
  word_of(rest);
  return rest == "oob";
}

bool Schema::has_argument(std::string_view command, std::string_view path) const {
  return !types_at(command, path).empty();
}

bool Schema::has_value(std::string_view command, std::string_view path,
                       std::string_view value) const {
  for (const auto type : types_at(command, path)) {
    auto rest = line(type);
    if (word_of(rest) != "E") continue;
    while (!rest.empty()) {
      if (word_of(rest) == value) return true;
    }
  }
  return false;
}

std::vector<std::string> Schema::commands() const {
  std::vector<std::string> names;
  for (auto i = types_; i < starts_.size(); ++i) {
    auto rest = line(i);
    if (word_of(rest) == "C") names.emplace_back(word_of(rest));
  }
  return names;
}

std::vector<std::string> Schema::events() const {
  std::vector<std::string> names;
  for (auto i = types_; i < starts_.size(); ++i) {
    auto rest = line(i);
    if (word_of(rest) == "V") names.emplace_back(word_of(rest));
  }
  return names;
}

}  // namespace qmp
