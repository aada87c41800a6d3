// SPDX-License-Identifier: MIT
#include "cli/qmp_line.hpp"

#include "cli/qmp_prompt.hpp"
#include "core/error.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace qlaunch;
using nlohmann::json;

namespace {

/// As QEMU writes it, reduced to a command for each kind of argument.
const QmpSchema& schema() {
  static const QmpSchema made(json::parse(R"([
    {"name": "stop", "meta-type": "command", "arg-type": "0", "ret-type": "0"},
    {"name": "eject", "meta-type": "command", "arg-type": "1", "ret-type": "0"},
    {"name": "set-action", "meta-type": "command", "arg-type": "2", "ret-type": "0"},
    {"name": "SHUTDOWN", "meta-type": "event", "arg-type": "0"},
    {"name": "0", "meta-type": "object", "members": []},
    {"name": "1", "meta-type": "object", "members": [
      {"name": "force", "type": "bool", "default": null},
      {"name": "id", "type": "str"}, {"name": "speed", "type": "int", "default": null}]},
    {"name": "2", "meta-type": "object", "tag": "shutdown", "members": [
      {"name": "shutdown", "type": "3"}],
      "variants": [{"case": "pause", "type": "4"}]},
    {"name": "3", "meta-type": "enum", "values": ["poweroff", "pause"]},
    {"name": "4", "meta-type": "object", "members": [{"name": "only-then", "type": "int"}]},
    {"name": "bool", "meta-type": "builtin", "json-type": "boolean"},
    {"name": "int", "meta-type": "builtin", "json-type": "int"},
    {"name": "str", "meta-type": "builtin", "json-type": "string"}])"));
  return made;
}

json arguments(const std::string& line) {
  const auto read = read_qmp_line(line, schema);
  return read.arguments.empty() ? json() : json::parse(read.arguments);
}

std::vector<std::string> offered(const std::string& before) {
  return complete_qmp(before, schema()).candidates;
}

}  // namespace

TEST_CASE("a line is split as a shell would") {
  using Words = std::vector<std::string>;
  CHECK(split_words("").empty());
  CHECK(split_words("  a   b\tc ") == Words{"a", "b", "c"});
  CHECK(split_words(R"(a='b c' "d \" e" f\ g '')") == Words{"a=b c", "d \" e", "f g", ""});
  CHECK_THROWS_AS(split_words("a 'b"), Error);
}

TEST_CASE("values get the type that the command's argument has") {
  CHECK(read_qmp_line("stop", schema).command == "stop");
  CHECK(arguments("stop").is_null());
  CHECK(arguments("eject id=17 force=on") == json{{"id", "17"}, {"force", true}});
  CHECK(arguments("eject id=true speed=9") == json{{"id", "true"}, {"speed", 9}});
  CHECK(arguments("set-action shutdown=pause only-then=3") ==
        json{{"shutdown", "pause"}, {"only-then", 3}});
  // What cannot be that type is QEMU's to refuse.
  CHECK(arguments("eject force=perhaps speed=fast") ==
        json{{"force", "perhaps"}, {"speed", "fast"}});
  // Nothing is known of these: JSON where it is JSON.
  CHECK(arguments("device_add driver=virtio-blk-pci num-queues=2 file.driver=raw") ==
        json{{"driver", "virtio-blk-pci"}, {"num-queues", 2}, {"file", {{"driver", "raw"}}}});
}

TEST_CASE("JSON is taken as it is, quotes and all") {
  CHECK(arguments(R"(eject {"id": "a \" b"})") == json{{"id", "a \" b"}});
  const auto whole = read_qmp_line(R"({"execute": "eject", "arguments": {"id": "x"}})", schema);
  CHECK(whole.command == "eject");
  CHECK(whole.arguments == R"({"id":"x"})");
  CHECK(read_qmp_words({"eject", R"({"id":"x"})"}, schema).arguments == R"({"id":"x"})");
  for (const auto* wrong : {"eject {", "eject [1]", "{\"arguments\": {}}", "eject id", "eject =x",
                            "eject id=a id.b=c", "{\"execute\": 3}"})
    CHECK_THROWS_AS(read_qmp_line(wrong, schema), Error);
  CHECK_THROWS_AS(read_qmp_words({"eject", "{}", "more"}, schema), Error);
}

TEST_CASE("Tab offers commands, then arguments that must be there first, then values") {
  using Words = std::vector<std::string>;
  CHECK(offered("") == Words{"eject", "set-action", "stop"});
  CHECK(offered("s") == Words{"set-action", "stop"});
  CHECK(offered("st") == Words{"stop "});
  CHECK(offered("eject ") == Words{"id=", "force=", "speed="});
  CHECK(offered("eject id=x f") == Words{"force="});
  CHECK(offered("eject force=true ") == Words{"id=", "speed="});
  CHECK(offered("eject force=") == Words{"force=false", "force=true"});
  CHECK(offered("set-action shutdown=pa") == Words{"shutdown=pause "});
  CHECK(offered("unknown ").empty());
  CHECK(complete_qmp("eject id=x f", schema()).begin == 11);
}
