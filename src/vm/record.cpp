// SPDX-License-Identifier: MIT
#include "vm/record.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "plan/plan_json.hpp"
#include "vm/journal.hpp"
#include "vm/record_text.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::string record_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/vm.json";
}

std::string end_path(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/end.json";
}

/// A file in the VM's own folder goes with it where that gets another name.
std::string kept_path(const std::string& path, const std::string& data) {
  const bool own = path.size() > data.size() && path.starts_with(data) && path[data.size()] == '/';
  return own ? path.substr(data.size() + 1) : path;
}

std::string whole_path(const std::string& kept, const std::string& data) {
  const bool whole = kept.empty() || kept.front() == '/' || kept.starts_with("builtin:");
  return whole ? kept : data + '/' + kept;
}

std::string dump(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string auto_port_key(const std::string& network, const Forward& forward) {
  return network + (forward.protocol == Protocol::udp ? "/udp/" : "/tcp/") +
         std::to_string(forward.guest_port);
}

Plan recorded_plan(const Record& record) {
  try {
    return plan_from_json(record.plan);
  } catch (const Error&) {
    // The next start makes a new one; all else still holds.
    Plan plan;
    plan.name = record.name;
    return plan;
  }
}

std::optional<Record> read_record(const std::string& name) {
  const auto path = record_path(name);
  auto text = try_read_file(path);
  if (!text && file_fact(path).kind == FileFact::Kind::missing) return std::nullopt;
  if (!text) text = read_file(path);
  try {
    const auto [facts, plan] = split_record(*text);
    const auto json = Json::parse(facts);
    Record record;
    // Where it lies says whose it is: `rename` moves the folder before it writes this file.
    record.name = name;
    record.identity = json.value("identity", json.at("name").get<std::string>());
    const auto data = vm_paths(state_roots(), name).data;
    record.profile = whole_path(json.at("profile"), data);
    for (const auto& source : json.at("sources"))
      record.sources.push_back({whole_path(source.at("path"), data), source.at("content")});
    record.settings = json.at("settings").get<std::vector<std::string>>();
    record.folder = json.value("folder", "");
    record.machine_asked = json.at("machine_asked");
    record.machine_type = json.at("machine_type");
    record.auto_ports = json.at("auto_ports").get<std::map<std::string, std::uint16_t>>();
    record.created = json.at("created");
    record.plan = plan;
    return record;
  } catch (const Json::exception& error) {
    throw Error("the record of VM " + in_backticks(name) + " is damaged: " + error.what())
        .help("its file is " + path + "; without it, `up` makes a new one");
  }
}

Record require_record(const std::string& name) {
  if (auto record = read_record(name)) return std::move(*record);
  StateError error("VM " + in_backticks(name) + " has no record");
  error.help("its first start was cut off; `qlaunch up PROFILE --name " + shell_quote(name) +
             "` makes one");
  throw error;
}

void write_record(const Record& record) {
  const auto data = vm_paths(state_roots(), record.name).data;
  write_record_in(data, record, data);
}

void write_record_in(const std::string& folder, const Record& record, const std::string& data) {
  auto sources = Json::array();
  for (const auto& source : record.sources)
    sources.push_back({{"path", kept_path(source.path, data)}, {"content", source.content}});
  const Json json = {{"name", record.name},
                     {"identity", record.identity},
                     {"profile", kept_path(record.profile, data)},
                     {"sources", sources},
                     {"settings", record.settings},
                     {"folder", record.folder},
                     {"machine_asked", record.machine_asked},
                     {"machine_type", record.machine_type},
                     {"auto_ports", record.auto_ports},
                     {"created", record.created}};
  const auto path = folder + "/vm.json";
  const auto facts = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  const auto text = join_record(facts, record.plan);
  if (try_read_file(path, text.size() + 1) == text) return;
  write_file_atomic(path, text);
}

std::optional<EndOfRun> read_end(const std::string& name) {
  const auto text = try_read_file(end_path(name));
  if (!text) return std::nullopt;
  const auto json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  return EndOfRun{json.value("time", ""), json.value("reason", ""), json.value("text", ""),
                  json.value("exit", ""), json.value("said", "")};
}

void write_end(const std::string& name, const EndOfRun& end) {
  const Json json = {{"time", end.time},
                     {"reason", end.reason},
                     {"text", end.text},
                     {"exit", end.exit},
                     {"said", end.said}};
  write_file_atomic(end_path(name), dump(json));
}

}  // namespace qlaunch
