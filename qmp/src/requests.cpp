// SPDX-License-Identifier: MIT
#include "qmp/requests.hpp"

#include "wire.hpp"

namespace qmp {
namespace {

using nlohmann::json;

void nothing(const json&) {}

Request<void> plain(const char* command) {
  return {command, nullptr, nothing};
}

RunStatus read_status(const json& reply) {
  return {reply.at("running").get<bool>(), reply.at("status").get<std::string>()};
}

std::vector<std::string> read_names(const json& reply) {
  std::vector<std::string> names;
  for (const auto& entry : reply) names.push_back(entry.at("name").get<std::string>());
  return names;
}

std::vector<BlockNode> read_nodes(const json& reply) {
  std::vector<BlockNode> nodes;
  for (const auto& entry : reply) {
    BlockNode node;
    node.name = entry.at("node-name").get<std::string>();
    if (node.name.rfind('#', 0) == 0) continue;
    node.driver = string_or(entry, "drv", "");
    node.file = string_or(entry, "file", "");
    node.read_only = entry.value("ro", false);
    const auto& image = entry.at("image");
    node.size = static_cast<std::uint64_t>(integer_or(image, "virtual-size", 0));
    for (const auto& snapshot : image.value("snapshots", json::array())) {
      node.snapshots.push_back(string_or(snapshot, "name", ""));
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

}  // namespace

Request<RunStatus> query_status() {
  return {"query-status", nullptr, read_status};
}
Request<void> stop() {
  return plain("stop");
}
Request<void> cont() {
  return plain("cont");
}
Request<void> system_powerdown() {
  return plain("system_powerdown");
}
Request<void> system_reset() {
  return plain("system_reset");
}

Request<std::vector<std::string>> qom_list_types(std::string_view implements) {
  return {"qom-list-types", {{"implements", implements}, {"abstract", false}}, read_names};
}

Request<std::vector<BlockNode>> query_named_block_nodes() {
  return {"query-named-block-nodes", {{"flat", true}}, read_nodes};
}

Request<void> device_add(json properties) {
  return {"device_add", std::move(properties), nothing};
}

Request<void> device_del(std::string_view id) {
  return {"device_del", {{"id", id}}, nothing};
}

Request<void> screendump(std::string_view file, std::string_view format) {
  return {"screendump", {{"filename", file}, {"format", format}}, nothing};
}

json snapshot_save_arguments(std::string_view job, std::string_view tag, std::string_view vmstate,
                             const std::vector<std::string>& devices) {
  return {{"job-id", job}, {"tag", tag}, {"vmstate", vmstate}, {"devices", devices}};
}

json snapshot_delete_arguments(std::string_view job, std::string_view tag,
                               const std::vector<std::string>& devices) {
  return {{"job-id", job}, {"tag", tag}, {"devices", devices}};
}

}  // namespace qmp
