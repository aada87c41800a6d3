// SPDX-License-Identifier: MIT
#include "plan/plan_json.hpp"

#include "core/error.hpp"
#include "plan/json_parts.hpp"
#include "profile/ports.hpp"

#include <array>
#include <utility>

#include <nlohmann/json.hpp>

namespace qlaunch {

namespace {

using Json = nlohmann::ordered_json;
using planner::descriptors_json;
using planner::format_from;
using planner::format_word;

/// The version of this form. A reader refuses a higher one.
constexpr int plan_version = 1;

template <typename Enum, std::size_t size>
using Words = std::array<std::pair<Enum, const char*>, size>;

constexpr Words<DisplayType, 7> display_words{{{DisplayType::automatic, "auto"},
                                               {DisplayType::gtk, "gtk"},
                                               {DisplayType::sdl, "sdl"},
                                               {DisplayType::spice, "spice"},
                                               {DisplayType::vnc, "vnc"},
                                               {DisplayType::curses, "curses"},
                                               {DisplayType::none, "none"}}};

using ReadyKind = ReadyWhen::Kind;
constexpr Words<ReadyKind, 6> ready_words{{{ReadyKind::started, "started"},
                                           {ReadyKind::ssh, "ssh"},
                                           {ReadyKind::agent, "agent"},
                                           {ReadyKind::provisioned, "provisioned"},
                                           {ReadyKind::serial, "serial"},
                                           {ReadyKind::port, "port"}}};

template <typename Enum, std::size_t size>
const char* word_for(const Words<Enum, size>& words, Enum value) {
  for (const auto& [one, word] : words)
    if (one == value) return word;
  return "";
}

template <typename Enum, std::size_t size>
Enum value_for(const Words<Enum, size>& words, const std::string& word) {
  for (const auto& [value, one] : words)
    if (word == one) return value;
  throw Error("unknown word `" + word + "` in a plan");
}

Json command_json(const Command& command) {
  Json arguments = Json::array();
  for (const auto& argument : command.arguments) arguments.push_back(argument.words);
  return {{"program", command.program},
          {"arguments", std::move(arguments)},
          {"default_environment", planner::variables_json(command.variables)},
          {"descriptors", descriptors_json(command.descriptors)}};
}

Command command_from(const Json& json) {
  Command command;
  command.program = json.at("program");
  for (const auto& words : json.at("arguments")) command.arguments.push_back({words, {}});
  for (const auto& [name, value] : json.at("default_environment").items())
    command.variables.push_back({name, value, {}});
  for (const auto& one : json.at("descriptors"))
    command.descriptors.push_back({one.at("fd"), one.at("role"), one.value("path", ""),
                                   one.value("bridge", ""), one.value("helper", ""),
                                   one.value("memory", std::uint64_t{0})});
  return command;
}

Json helper_json(const Helper& helper) {
  return {{"name", helper.name},
          {"serves", helper.serves},
          {"command", command_json(helper.command)},
          {"socket", helper.socket},
          {"socket_by_descriptor", helper.socket_by_descriptor},
          {"readonly_folder", helper.readonly_folder},
          {"user_namespace", helper.user_namespace}};
}

Helper helper_from(const Json& json) {
  return {json.at("name"),
          json.at("serves"),
          command_from(json.at("command")),
          json.at("socket"),
          json.at("socket_by_descriptor"),
          json.at("readonly_folder"),
          json.at("user_namespace"),
          {}};
}

Json disk_json(const PlannedDisk& disk) {
  return {{"name", disk.name},
          {"node", disk.node},
          {"path", disk.path},
          {"format", format_word(disk.format)},
          {"readonly", disk.readonly}};
}

PlannedDisk disk_from(const Json& json) {
  return {json.at("name"), json.at("node"), json.at("path"), format_from(json.at("format")),
          json.at("readonly")};
}

Json share_json(const PlannedShare& share) {
  return {{"tag", share.tag},
          {"path", share.path},
          {"virtiofs", share.virtiofs},
          {"readonly", share.readonly},
          {"mount", share.mount},
          {"detach", share.detach},
          {"id", share.id},
          {"device", share.device}};
}

PlannedShare share_from(const Json& json) {
  return {json.at("tag"),   json.at("path"),   json.at("virtiofs"), json.at("readonly"),
          json.at("mount"), json.at("detach"), json.at("id"),       json.at("device")};
}

PlannedForward forward_from(const Json& json) {
  const std::string protocol = json.at("protocol");
  if (protocol != "tcp" && protocol != "udp")
    throw Error("unknown protocol `" + protocol + "` in a plan");
  return {json.at("network"),
          {protocol == "tcp" ? Protocol::tcp : Protocol::udp, json.at("host_address"),
           json.at("host_port"), json.at("guest_port")},
          {}};
}

Json auto_forward_json(const PlannedAutoForward& planned) {
  Json rules = Json::array();
  for (const auto& rule : planned.rules) rules.push_back(auto_forward_text(rule));
  return {{"network", planned.network},
          {"rules", rules},
          {"taken", planned.taken == TakenPort::other ? "other" : "skip"},
          {"guest_address", planned.guest_address}};
}

PlannedAutoForward auto_forward_from(const Json& json) {
  PlannedAutoForward planned{json.at("network"),
                             {},
                             json.at("taken") == "other" ? TakenPort::other : TakenPort::skip,
                             json.at("guest_address")};
  for (const auto& rule : json.at("rules")) {
    auto parsed = parse_auto_forward(rule.get_ref<const std::string&>());
    if (parsed.problem) throw Error("a plan has the rule " + rule.dump() + " for forwards");
    planned.rules.push_back(parsed.rule);
  }
  return planned;
}

Json image_json(const MissingImage& image) {
  return {{"name", image.name},
          {"url", image.url},
          {"algorithm", image.algorithm},
          {"digest", image.digest},
          {"path", image.path}};
}

template <typename List, typename Function>
Json array_of(const List& list, Function function) {
  Json out = Json::array();
  for (const auto& one : list) out.push_back(function(one));
  return out;
}

Plan read_plan(const Json& json) {
  Plan plan;
  plan.name = json.at("name");
  plan.machine_type = json.at("machine_type");
  plan.kvm = json.at("kvm");
  plan.cpus = json.at("cpus");
  plan.memory = json.at("memory");
  const auto& paths = json.at("paths");
  plan.paths = {paths.at("runtime"), paths.at("data"), paths.at("state"), paths.at("cache")};
  for (const auto& one : json.at("preparations"))
    plan.preparations.push_back(planner::preparation_from(one));
  for (const auto& one : json.at("helpers")) plan.helpers.push_back(helper_from(one));
  plan.qemu = command_from(json.at("qemu"));
  for (const auto& one : json.at("disks")) plan.disks.push_back(disk_from(one));
  if (json.contains("nvram")) plan.nvram = disk_from(json.at("nvram"));
  for (const auto& one : json.at("forwards")) plan.forwards.push_back(forward_from(one));
  if (const auto rules = json.find("auto_forward"); rules != json.end())
    plan.auto_forward = auto_forward_from(*rules);
  for (const auto& one : json.at("shares")) plan.shares.push_back(share_from(one));
  plan.macs = json.at("macs").get<std::vector<std::string>>();
  for (const auto& one : json.at("missing_images"))
    plan.missing_images.push_back(
        {one.at("name"), one.at("url"), one.at("algorithm"), one.at("digest"), one.at("path"), {}});
  plan.serial_log = json.at("serial_log");
  plan.vnc_socket = json.at("vnc_socket");
  plan.spice_address = json.at("spice_address");
  plan.provision_log = json.at("provision_log");
  plan.display = value_for(display_words, json.at("display"));
  const auto& guest = json.at("guest");
  plan.guest = {guest.at("user"), guest.at("hostname"), guest.at("forward_agent")};
  const auto& ready = json.at("ready");
  plan.ready = {{value_for(ready_words, ready.at("when")), ready.at("text"), ready.at("port")},
                Duration(ready.at("timeout_ms").get<std::int64_t>())};
  const auto& shutdown = json.at("shutdown");
  plan.shutdown.timeout = Duration(shutdown.at("timeout_ms").get<std::int64_t>());
  plan.shutdown.on_host =
      shutdown.at("on_host") == "suspend" ? OnHostShutdown::suspend : OnHostShutdown::shutdown;
  return plan;
}

}  // namespace

std::string plan_to_json(const Plan& plan) {
  Json json{{"version", plan_version},
            {"name", plan.name},
            {"machine_type", plan.machine_type},
            {"kvm", plan.kvm},
            {"cpus", plan.cpus},
            {"memory", plan.memory},
            {"paths",
             {{"runtime", plan.paths.runtime},
              {"data", plan.paths.data},
              {"state", plan.paths.state},
              {"cache", plan.paths.cache}}},
            {"preparations", array_of(plan.preparations, planner::preparation_json)},
            {"helpers", array_of(plan.helpers, helper_json)},
            {"qemu", command_json(plan.qemu)},
            {"disks", array_of(plan.disks, disk_json)}};
  if (plan.nvram) json["nvram"] = disk_json(*plan.nvram);
  json["forwards"] = array_of(plan.forwards, planner::forward_json);
  if (plan.auto_forward) json["auto_forward"] = auto_forward_json(*plan.auto_forward);
  json["shares"] = array_of(plan.shares, share_json);
  json["macs"] = plan.macs;
  json["missing_images"] = array_of(plan.missing_images, image_json);
  json["serial_log"] = plan.serial_log;
  json["vnc_socket"] = plan.vnc_socket;
  json["spice_address"] = plan.spice_address;
  json["provision_log"] = plan.provision_log;
  json["display"] = word_for(display_words, plan.display);
  json["guest"] = {{"user", plan.guest.user},
                   {"hostname", plan.guest.hostname},
                   {"forward_agent", plan.guest.forward_agent}};
  json["ready"] = {{"when", word_for(ready_words, plan.ready.when.kind)},
                   {"text", plan.ready.when.text},
                   {"port", plan.ready.when.port},
                   {"timeout_ms", plan.ready.timeout.count()}};
  json["shutdown"] = {
      {"timeout_ms", plan.shutdown.timeout.count()},
      {"on_host", plan.shutdown.on_host == OnHostShutdown::suspend ? "suspend" : "shutdown"}};
  try {
    return json.dump();
  } catch (const nlohmann::json::exception&) {
    throw Error("a path of this VM contains bytes that are not UTF-8, so it cannot be recorded");
  }
}

Plan plan_from_json(std::string_view text) {
  try {
    const auto json = Json::parse(text);
    const int version = json.at("version");
    if (version > plan_version) {
      throw Error("the plan is of version " + std::to_string(version) +
                  ", and this qlaunch reads up to " + std::to_string(plan_version))
          .help("use the newer qlaunch that wrote it");
    }
    return read_plan(json);
  } catch (const nlohmann::json::exception& problem) {
    throw Error("a plan cannot be read: " + std::string(problem.what()));
  }
}

}  // namespace qlaunch
