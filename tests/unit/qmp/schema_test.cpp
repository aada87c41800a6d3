// SPDX-License-Identifier: MIT
#include "qmp/schema.hpp"

#include "qmp/error.hpp"

#include <string>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using nlohmann::json;
using qmp::Schema;

namespace {

// One of each kind, with a circle: a node is named, or described, and then has a file of its own.
const char* const reply = R"([
  {"name": "blockdev-add", "meta-type": "command", "arg-type": "1", "ret-type": "0"},
  {"name": "blockdev-add-more", "meta-type": "command", "arg-type": "0", "ret-type": "0"},
  {"name": "yank", "meta-type": "command", "arg-type": "8", "ret-type": "0", "allow-oob": true},
  {"name": "STOP", "meta-type": "event", "arg-type": "0"},
  {"name": "JOB_STATUS_CHANGE", "meta-type": "event", "arg-type": "0"},
  {"name": "0", "meta-type": "object", "members": []},
  {"name": "1", "meta-type": "object", "tag": "driver",
   "members": [{"name": "driver", "type": "2"}, {"name": "node-name", "type": "str", "default": null}],
   "variants": [{"case": "raw", "type": "3"}, {"case": "qcow2", "type": "3"},
                {"case": "file", "type": "4"}, {"case": "null-co", "type": "0"}]},
  {"name": "2", "meta-type": "enum", "values": ["raw", "qcow2", "file", "null-co"]},
  {"name": "3", "meta-type": "object", "members": [{"name": "file", "type": "5"}]},
  {"name": "4", "meta-type": "object", "members": [{"name": "filename", "type": "str"},
                                                   {"name": "aio", "type": "6", "default": null}]},
  {"name": "5", "meta-type": "alternate", "members": [{"type": "1"}, {"type": "str"}]},
  {"name": "6", "meta-type": "enum", "values": ["threads", "native"]},
  {"name": "str", "meta-type": "builtin", "json-type": "string"},
  {"name": "[7]", "meta-type": "array", "element-type": "7"},
  {"name": "7", "meta-type": "object", "members": [{"name": "type", "type": "6"}]},
  {"name": "8", "meta-type": "object", "members": [{"name": "instances", "type": "[7]"}]}
])";

void check(const Schema& schema) {
  CHECK(schema.has_command("blockdev-add"));
  CHECK(schema.has_command("blockdev-add-more"));
  CHECK(schema.has_command("yank"));
  CHECK_FALSE(schema.has_command("blockdev"));
  CHECK_FALSE(schema.has_command("STOP"));
  CHECK_FALSE(schema.has_command(""));
  CHECK(schema.has_event("STOP"));
  CHECK_FALSE(schema.has_event("yank"));
  CHECK_FALSE(schema.has_event("STOPPED"));
  CHECK(schema.allows_oob("yank"));
  CHECK_FALSE(schema.allows_oob("blockdev-add"));

  CHECK(schema.has_argument("blockdev-add", "driver"));
  CHECK(schema.has_argument("blockdev-add", "node-name"));
  CHECK(schema.has_argument("blockdev-add", "filename"));  // of one driver
  CHECK(schema.has_argument("blockdev-add", "file"));
  CHECK(schema.has_argument("blockdev-add", "file.driver"));
  CHECK(schema.has_argument("blockdev-add", "file.file.filename"));
  CHECK_FALSE(schema.has_argument("blockdev-add", "file.file.filenames"));
  CHECK_FALSE(schema.has_argument("blockdev-add", "filename.file"));
  CHECK_FALSE(schema.has_argument("blockdev-add", "raw"));
  CHECK_FALSE(schema.has_argument("blockdev-add", ""));
  CHECK_FALSE(schema.has_argument("blockdev-add-more", "driver"));
  CHECK_FALSE(schema.has_argument("nothing", "driver"));
  CHECK(schema.has_argument("yank", "instances.type"));

  CHECK(schema.has_value("blockdev-add", "driver", "qcow2"));
  CHECK_FALSE(schema.has_value("blockdev-add", "driver", "vmdk"));
  CHECK(schema.has_value("blockdev-add", "file.aio", "native"));
  CHECK(schema.has_value("yank", "instances.type", "threads"));
  CHECK_FALSE(schema.has_value("blockdev-add", "filename", "str"));

  CHECK(schema.commands() == std::vector<std::string>{"blockdev-add", "blockdev-add-more", "yank"});
  CHECK(schema.events() == std::vector<std::string>{"JOB_STATUS_CHANGE", "STOP"});
}

}  // namespace

TEST_CASE("schema: commands, arguments, values and events, parsed or loaded") {
  const auto schema = Schema::parse(json::parse(reply));
  check(schema);
  check(Schema::load(schema.text()));
  CHECK(Schema::load(schema.text()).text() == schema.text());
  CHECK_FALSE(Schema().has_command("stop"));
  CHECK(Schema().text().empty());
}

TEST_CASE("schema: what is none") {
  CHECK_THROWS_AS(Schema::parse(json::object()), qmp::Malformed);
  CHECK_THROWS_AS(Schema::parse(json::array({1})), qmp::Malformed);
  CHECK_THROWS_AS(Schema::parse(json::parse(R"([{"name": "a", "meta-type": "command"}])")),
                  qmp::Malformed);
  CHECK_THROWS_AS(
      Schema::parse(json::parse(R"([{"name": "a", "meta-type": "command", "arg-type": "1"}])")),
      qmp::Malformed);
  CHECK_THROWS_AS(Schema::parse(json::parse(R"([{"name": "a\nC b 0", "meta-type": "event"}])")),
                  qmp::Malformed);
  for (const std::string text : {"", "qmp-schema 0\n", "qmp-schema 1", "qmp-schema 1\nB",
                                 "qmp-schema 1\nC b 0\nC a 0\n", "qmp-schema 1\nV a\nB\n"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(Schema::load(text), qmp::Malformed);
  }
}

TEST_CASE("schema: a loaded text that lies leads nowhere, but not astray") {
  const auto schema = Schema::load("qmp-schema 1\nA 0\nO a:99 b:x c :1\nU 2\nC d 1\nC e 7\nC f\n");
  CHECK_FALSE(schema.has_argument("d", "a"));
  CHECK_FALSE(schema.has_argument("d", "b"));
  CHECK_FALSE(schema.has_argument("d", "z"));
  CHECK_FALSE(schema.has_argument("e", "a"));
  CHECK_FALSE(schema.has_argument("f", "a"));
  CHECK(schema.has_command("f"));
}
