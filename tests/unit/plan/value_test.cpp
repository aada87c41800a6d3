// SPDX-License-Identifier: MIT
#include "plan/value.hpp"

#include <limits>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using qlaunch::planner::Value;

TEST_CASE("an option's value is JSON whose members keep their order") {
  Value value{{"driver", "qcow2"}, {"read-only", false}, {"file", {{"driver", "file"}}}};
  value["size"] = std::numeric_limits<std::uint64_t>::max();
  value["driver"] = "raw";
  CHECK(value.json() == R"({"driver":"raw","read-only":false,"file":{"driver":"file"},)"
                        R"("size":18446744073709551615})");
  CHECK(value.at("driver").text() == "raw");
  CHECK_THROWS_AS(value.at("nothing"), std::out_of_range);
}

TEST_CASE("lists and nothing as JSON") {
  auto list = Value::list();
  CHECK(list.empty());
  CHECK(list.json() == "[]");
  list.push_back("a");
  list.push_back({{"str", "b"}});
  list.push_back(-1);
  CHECK_FALSE(list.empty());
  CHECK(list.json() == R"(["a",{"str":"b"},-1])");
  CHECK(Value{}.json() == "null");
}

TEST_CASE("every byte of text comes back as it was") {
  std::string all;
  for (int code = 0; code < 128; ++code) all += static_cast<char>(code);
  all += "\u00e4\u2028\U0001f40d";
  const auto text = Value{{all.c_str() + 1, all}}.json();
  const auto back = nlohmann::json::parse(text);
  CHECK(back.begin().value() == all);
  CHECK(back.begin().key() == all.substr(1));
  CHECK(text == back.dump());
}
