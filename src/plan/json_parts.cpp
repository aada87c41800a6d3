// SPDX-License-Identifier: MIT
#include "plan/json_parts.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch::planner {

namespace {

using Json = nlohmann::ordered_json;

struct ToJson {
  Json operator()(const MakeFolder& it) const { return {{"make", "folder"}, {"path", it.path}}; }
  Json operator()(const MakeDisk& it) const {
    Json out{{"make", "disk"}, {"path", it.path}, {"format", format_word(it.format)}};
    if (it.size) out["size"] = *it.size;
    if (!it.base.empty()) {
      out["base"] = it.base;
      out["base_format"] = it.base_format;
    }
    out["fresh"] = it.fresh;
    return out;
  }
  Json operator()(const MakeNvram& it) const {
    return {{"make", "nvram"},
            {"path", it.path},
            {"template", it.template_path},
            {"template_format", it.template_format}};
  }
  Json operator()(const WriteFile& it) const {
    Json out{{"make", "file"}, {"path", it.path}, {"content", it.content}};
    if (!it.ssh_folder.empty()) out["ssh_folder"] = it.ssh_folder;
    return out;
  }
  Json operator()(const WriteHelloImage& it) const {
    return {{"make", "hello-image"}, {"path", it.path}};
  }
  Json operator()(const CopyFile& it) const {
    return {{"make", "copy"}, {"path", it.path}, {"from", it.from}};
  }
  Json operator()(const MakeSeed& it) const {
    Json files = Json::array();
    for (const auto& file : it.files) {
      Json one{{"name", file.name}, {"executable", file.executable}};
      // JSON holds text alone.
      if (first_invalid_utf8(file.content)) {
        one["bytes"] = Json::array();
        for (const char byte : file.content)
          one["bytes"].push_back(static_cast<unsigned char>(byte));
      } else {
        one["content"] = file.content;
      }
      files.push_back(std::move(one));
    }
    return {{"make", "seed"},
            {"path", it.path},
            {"ssh_folder", it.ssh_folder},
            {"files", std::move(files)}};
  }
};

MakeSeed seed_from(const Json& json, std::string path) {
  MakeSeed seed{std::move(path), json.at("ssh_folder"), {}};
  for (const auto& one : json.at("files")) {
    MakeSeed::File file{one.at("name"), one.value("content", ""), one.at("executable")};
    if (one.contains("bytes")) {
      for (const auto& byte : one.at("bytes"))
        file.content += static_cast<char>(byte.get<unsigned char>());
    }
    seed.files.push_back(std::move(file));
  }
  return seed;
}

}  // namespace

const char* format_word(DiskFormat format) {
  return format == DiskFormat::qcow2 ? "qcow2" : "raw";
}

DiskFormat format_from(const std::string& word) {
  if (word == "qcow2") return DiskFormat::qcow2;
  if (word == "raw") return DiskFormat::raw;
  throw Error("unknown disk format `" + word + "` in a plan");
}

Json preparation_json(const Preparation& preparation) {
  return std::visit(ToJson{}, preparation.what);
}

Preparation preparation_from(const Json& json) {
  const std::string make = json.at("make");
  std::string path = json.at("path");
  if (make == "folder") return {MakeFolder{std::move(path)}, {}};
  if (make == "hello-image") return {WriteHelloImage{std::move(path)}, {}};
  if (make == "file")
    return {WriteFile{std::move(path), json.at("content"), json.value("ssh_folder", "")}, {}};
  if (make == "copy") return {CopyFile{std::move(path), json.at("from")}, {}};
  if (make == "seed") return {seed_from(json, std::move(path)), {}};
  if (make == "nvram")
    return {MakeNvram{std::move(path), json.at("template"), json.at("template_format")}, {}};
  if (make != "disk") throw Error("unknown preparation `" + make + "` in a plan");
  MakeDisk disk{std::move(path),        format_from(json.at("format")), {},
                json.value("base", ""), json.value("base_format", ""),  json.at("fresh")};
  if (json.contains("size")) disk.size = json.at("size").get<std::uint64_t>();
  return {disk, {}};
}

Json descriptors_json(const std::vector<Descriptor>& descriptors) {
  Json out = Json::array();
  for (const auto& one : descriptors) {
    Json json{{"fd", one.number}, {"role", one.role}};
    if (one.memory != 0) {
      json["memory"] = one.memory;
    } else if (one.bridge.empty()) {
      json["path"] = one.path;
    } else {
      json["bridge"] = one.bridge;
      json["helper"] = one.helper;
    }
    out.push_back(std::move(json));
  }
  return out;
}

Json variables_json(const std::vector<DefaultVariable>& variables) {
  Json out = Json::object();
  for (const auto& one : variables) out[one.name] = one.value;
  return out;
}

Json forward_json(const PlannedForward& planned) {
  const auto& forward = planned.forward;
  return {{"network", planned.network},
          {"protocol", forward.protocol == Protocol::tcp ? "tcp" : "udp"},
          {"host_address", forward.host_address},
          {"host_port", forward.host_port},
          {"guest_port", forward.guest_port}};
}

}  // namespace qlaunch::planner
