// SPDX-License-Identifier: MIT
#include "profile/schema.hpp"

#include "profile/keys.hpp"
#include "profile/reader.hpp"
#include "profile/toml_text.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

// Keys stay in the order of the table, so that the same table gives the same bytes.
using Json = nlohmann::ordered_json;

Json to_json(const Node& node) {
  switch (node.kind) {
    case Node::Kind::integer:
      return node.integer;
    case Node::Kind::real:
      return node.real;
    case Node::Kind::boolean:
      return node.boolean;
    case Node::Kind::array: {
      Json list = Json::array();
      for (const auto& item : node.items) list.push_back(to_json(item));
      return list;
    }
    case Node::Kind::table: {
      Json table = Json::object();
      for (const auto& member : node.members) table[member.key] = to_json(member.value);
      return table;
    }
    case Node::Kind::string:
    case Node::Kind::date:
      break;
  }
  return node.text;
}

std::optional<Json> toml_value(std::string_view text) {
  const auto source = std::make_shared<Source>(Source{{}, std::string(text)});
  const auto node = parse_toml_value(source, text, 0);
  return node ? std::optional(to_json(*node)) : std::nullopt;
}

std::string description(const Key& key) {
  std::string text(key.meaning);
  for (const auto& choice : key.choices) {
    if (choice.hidden || choice.meaning.empty()) continue;
    text += "\n- " + std::string(choice.word) + ": " + std::string(choice.meaning);
  }
  if (!key.fallback_words.empty()) text += "\nDefault: " + std::string(key.fallback_words) + '.';
  return text;
}

Json one_word(const Key& key) {
  Json schema{{"type", "string"}};
  if (!key.choices.empty()) {
    Json words = Json::array();
    for (const auto& choice : key.choices) words.push_back(choice.word);
    schema["enum"] = std::move(words);
  }
  if (!key.pattern.empty()) schema["pattern"] = key.pattern;
  return schema;
}

Json key_type(const Key& key) {
  switch (key.type) {
    case KeyType::boolean:
      return {{"type", "boolean"}};
    case KeyType::integer:
      return {{"type", "integer"}, {"minimum", key.lowest}, {"maximum", key.highest}};
    case KeyType::size:
      return {{"type", "string"},
              {"pattern", "^ *[0-9]+(\\.[0-9]+)? *([KkMmGgTt]([Ii]?[Bb])?|[Bb](ytes?)?)? *$"}};
    case KeyType::duration:
      return {{"type", "string"}, {"pattern", "^( *[0-9]+(\\.[0-9]+)? *[A-Za-z]+)+ *$"}};
    case KeyType::strings:
      return {{"type", "array"}, {"items", one_word(key)}};
    case KeyType::choices:
      return {{"type", "array"}, {"items", one_word(key)}, {"uniqueItems", true}};
    case KeyType::words:
      return {{"anyOf", {one_word(key), {{"type", "array"}, {"items", one_word(key)}}}}};
    case KeyType::map:
      return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
    case KeyType::string:
    case KeyType::choice:
      break;
  }
  return one_word(key);
}

Json key_schema(const Key& key) {
  Json schema{{"description", description(key)}};
  schema.update(key_type(key));
  if (!key.fallback.empty()) {
    if (auto value = toml_value(key.fallback)) schema["default"] = std::move(*value);
  }
  // What stands for a longer text would not be a valid value.
  const auto value_at = key.example.find(" = ");
  if (value_at != std::string_view::npos && key.example.find("…") == std::string_view::npos) {
    if (auto value = toml_value(key.example.substr(value_at + 3)))
      schema["examples"] = Json::array({std::move(*value)});
  }
  return schema;
}

Json section_schema(const Section& section);

void add_children(const Section& section, Json& properties) {
  for (const auto& child : profile_sections()) {
    const auto dot = child.path.rfind('.');
    const auto parent =
        dot == std::string_view::npos ? std::string_view{} : child.path.substr(0, dot);
    if (child.path.empty() || parent != section.path) continue;
    const auto name =
        std::string(dot == std::string_view::npos ? child.path : child.path.substr(dot + 1));
    auto schema = section_schema(child);
    Json property{{"title", child.heading()}, {"description", child.meaning}};
    if (child.shape == SectionShape::list) {
      property["type"] = "array";
      property["items"] = std::move(schema);
    } else {
      property.update(schema);
    }
    properties[name] = std::move(property);
  }
}

Json section_schema(const Section& section) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const auto& key : section.keys) {
    properties[std::string(key.name)] = key_schema(key);
    // A profile that extends another may leave out what the other says already.
    const bool here = section.merge == MergeKey::none || key.name == section.element_key();
    if (key.required && here) required.push_back(key.name);
  }
  add_children(section, properties);
  Json schema{{"type", "object"}, {"properties", std::move(properties)}};
  if (!required.empty()) schema["required"] = std::move(required);
  schema["additionalProperties"] = false;
  return schema;
}

}  // namespace

std::string profile_schema() {
  const auto* top = find_section("");
  Json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
              {"$id", "urn:qlaunch:profile"},
              {"title", "qlaunch profile"},
              {"description", top->meaning}};
  schema.update(section_schema(*top));
  return schema.dump(2) + '\n';
}

}  // namespace qlaunch
