// SPDX-License-Identifier: MIT
#include "plan/seed/yaml.hpp"

#include "yaml.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using qlaunch::seed::yaml_list;
using qlaunch::seed::yaml_quoted;
using qlaunch::seed::yaml_text;

TEST_CASE("text that nothing can misread stands as it is") {
  for (const auto* text : {"nixos", "/bin/bash", "web-1.example", "Europe/Berlin", "a_b+c"})
    CHECK(yaml_text(text) == text);
}

TEST_CASE("what a reader of YAML takes for something else stands in quotes") {
  CHECK(yaml_text("no") == "\"no\"");
  CHECK(yaml_text("Yes") == "\"Yes\"");
  CHECK(yaml_text("NULL") == "\"NULL\"");
  CHECK(yaml_text("") == "\"\"");
  CHECK(yaml_text("0755") == "\"0755\"");
  CHECK(yaml_text("a: b") == "\"a: b\"");
  CHECK(yaml_text("a #b") == "\"a #b\"");
  CHECK(yaml_text("say \"hi\" \\") == R"("say \"hi\" \\")");
  CHECK(yaml_text("two\nlines\t") == R"("two\nlines\t")");
  CHECK(yaml_text("\x01\x7f") == R"("\x01\x7f")");
  CHECK(yaml_text("ü€😀") == R"("\xfc\u20ac\U0001f600")");
}

TEST_CASE("a list stands on one line") {
  CHECK(yaml_list({"video", "on", "a, b"}) == R"([video, "on", "a, b"])");
}

TEST_CASE("a real reader of YAML gets back every hostile text") {
  if (!test::has_yaml()) return;
  const std::vector<std::string> hostile{"",
                                         "~",
                                         "null",
                                         "No",
                                         "y",
                                         "off",
                                         "0x1f",
                                         "1e3",
                                         "1_000",
                                         "12:30:45",
                                         "2020-01-01",
                                         ".inf",
                                         "-",
                                         "- a",
                                         "a:",
                                         ":a",
                                         "a: b",
                                         "a #b",
                                         "#a",
                                         "[a]",
                                         "{a: b}",
                                         "&a",
                                         "*a",
                                         "!tag",
                                         "!!binary",
                                         "|",
                                         ">",
                                         "%YAML 1.1",
                                         "@a",
                                         "`a`",
                                         "'a'",
                                         "\"a\"",
                                         "\\",
                                         "a\\nb",
                                         "\n",
                                         "a\n\nb\n",
                                         " a ",
                                         "\ta",
                                         "---",
                                         "...",
                                         "? a",
                                         "<<",
                                         "=",
                                         "ü€😀",
                                         "\u0085",
                                         "\u2028",
                                         "\ufeff",
                                         "\x01\x02",
                                         "\x7f",
                                         "${HOME}",
                                         "$(id)",
                                         "a\r\nb",
                                         "{{ jinja }}",
                                         "a, b",
                                         "/bin/sh",
                                         "yes/no",
                                         "n",
                                         "root; rm -rf /"};
  std::string yaml;
  for (const auto& text : hostile) yaml += "- " + yaml_text(text) + '\n';
  yaml += "- " + yaml_list(hostile) + '\n';
  const auto read = test::read_yaml(yaml);
  REQUIRE(read.size() == hostile.size() + 1);
  for (std::size_t index = 0; index < hostile.size(); ++index) {
    CAPTURE(hostile[index]);
    CHECK(read.at(index) == hostile[index]);
    CHECK(read.back().at(index) == hostile[index]);
  }
}
