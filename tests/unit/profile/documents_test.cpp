// SPDX-License-Identifier: MIT
// What is made from the table of keys: schema, reference, starter file.
#include "profile/keys.hpp"
#include "profile/reference.hpp"
#include "profile/schema.hpp"
#include "profile/starter.hpp"
#include "texts.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;

namespace {

const nlohmann::json& properties(const nlohmann::json& schema, const Section& section) {
  const auto* at = &schema;
  std::string path(section.path);
  while (!path.empty()) {
    const auto dot = path.find('.');
    at = &at->at("properties").at(path.substr(0, dot));
    if (at->contains("items")) at = &at->at("items");
    path = dot == std::string::npos ? "" : path.substr(dot + 1);
  }
  return at->at("properties");
}

}  // namespace

TEST_CASE("the schema has every key, described, and nothing else") {
  const auto schema = nlohmann::json::parse(profile_schema());
  CHECK(schema.at("$schema") == "https://json-schema.org/draft/2020-12/schema");
  CHECK(schema.at("additionalProperties") == false);
  for (const auto& section : profile_sections()) {
    for (const auto& key : section.keys) {
      CAPTURE(section.path);
      CAPTURE(key.name);
      const auto& entry = properties(schema, section).at(std::string(key.name));
      CHECK(entry.at("description").get<std::string>().starts_with(key.meaning));
      CHECK(entry.contains("default") == !key.fallback.empty());
    }
  }
  const auto& memory = schema.at("properties").at("machine").at("properties").at("memory");
  CHECK(memory.at("default") == "2 GiB");
  CHECK(schema.at("properties").at("disk").at("type") == "array");
  CHECK(schema.at("properties").at("share").at("items").at("required") ==
        nlohmann::json::array({"tag"}));
}

TEST_CASE("the schema is the same each time") {
  const bool same = profile_schema() == profile_schema();
  CHECK(same);
}

TEST_CASE("every key has its words, its example, and a default or the reason for none") {
  for (const auto& section : profile_sections()) {
    for (const auto& key : section.keys) {
      CAPTURE(section.path);
      CAPTURE(key.name);
      CHECK(key.meaning.ends_with('.'));
      CHECK(key.example.starts_with(std::string(key.name) + " = "));
      CHECK((key.required || !key.fallback.empty() || !key.fallback_words.empty()));
      CHECK((key.set || key.name == "extends"));
      CHECK((key.type == KeyType::choice || key.type == KeyType::choices) == !key.choices.empty());
    }
  }
}

TEST_CASE("the reference lists every key") {
  const auto text = profile_reference();
  for (const auto& section : profile_sections()) {
    if (!section.path.empty())
      CHECK(text.find("\n## `" + section.heading() + "`\n") != std::string::npos);
    for (const auto& key : section.keys)
      CHECK(text.find("\n| `" + std::string(key.name) + "` | ") != std::string::npos);
  }
}

TEST_CASE("profiles/REFERENCE.md is current") {
  const std::string path = REFERENCE_FILE;
  if (std::getenv("QLAUNCH_TEST_ACCEPT") != nullptr) std::ofstream(path) << profile_reference();
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  // Without the two texts in the message: they are long.
  const bool current = text.str() == profile_reference();
  CHECK(current);
}

TEST_CASE("the starter file loads without a finding") {
  const auto profile = test::sound(starter_profile("my-vm"));
  CHECK(profile.name == "my-vm");
  CHECK(profile.disks.at(0).size == 20 * gib);
  CHECK(profile.networks.at(0).forward.at(0).guest_port == 22);
}

TEST_CASE("each line that the starter file has switched off can be switched on") {
  const auto starter = starter_profile("my-vm");
  std::istringstream lines(starter);
  std::vector<std::string> all;
  for (std::string line; std::getline(lines, line);) all.push_back(line);
  int tried = 0;
  std::size_t section = 0;
  for (std::size_t index = 0; index < all.size(); ++index) {
    const auto& line = all[index];
    if (line.starts_with('[') || line.starts_with("#[")) section = index;
    if (!line.starts_with('#') || line.starts_with("# ") || line.starts_with("#[")) continue;
    if (line.find("…") != std::string::npos) continue;  // stands for something longer
    std::string text;
    for (std::size_t each = 0; each < all.size(); ++each) {
      const bool on = each == index || (each == section && all[each].starts_with("#["));
      text += (on ? all[each].substr(1) : all[each]) + '\n';
    }
    ++tried;
    CAPTURE(line);
    // It may need company (a kernel, a user), but it is known, of its type and well formed.
    for (const auto& finding : test::load(text).diagnostics) {
      CAPTURE(finding.message);
      CHECK(finding.message.find("unknown") == std::string::npos);
      CHECK(finding.message.find("needs a") != 0);
      CHECK(finding.message.find(" is not ") == std::string::npos);
      CHECK(finding.message.find("cannot stand") == std::string::npos);
      CHECK(finding.message.find("out of range") == std::string::npos);
    }
  }
  CHECK(tried > 80);
}
