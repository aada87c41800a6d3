// SPDX-License-Identifier: MIT
#include "host/facts.hpp"
#include "host/files.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

namespace qlaunch {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string text_of(const json& object, const char* key) {
  return object.at(key).get<std::string>();
}

/// The form is QEMU's docs/interop/firmware.json. Throws json::exception where it is not kept.
FirmwareDescriptor parse_descriptor(const std::string& file, const json& root) {
  FirmwareDescriptor descriptor;
  descriptor.file = file;
  descriptor.description = root.value("description", std::string());
  for (const auto& type : root.at("interface-types")) {
    if (type == "uefi") descriptor.uefi = true;
  }
  const json& mapping = root.at("mapping");
  const std::string device = text_of(mapping, "device");
  if (device == "flash") {
    descriptor.mode = mapping.value("mode", std::string("split"));
    descriptor.code = text_of(mapping.at("executable"), "filename");
    descriptor.code_format = text_of(mapping.at("executable"), "format");
    if (const auto vars = mapping.find("nvram-template"); vars != mapping.end()) {
      descriptor.vars_template = text_of(*vars, "filename");
      descriptor.vars_format = text_of(*vars, "format");
    }
  } else {
    descriptor.mode = device;  // "memory", or "kernel" and what else may come
    descriptor.code = text_of(mapping, "filename");
    descriptor.code_format = "raw";
  }
  for (const auto& target : root.at("targets")) {
    descriptor.targets.push_back(
        {.architecture = text_of(target, "architecture"), .machines = target.at("machines")});
  }
  root.at("features").get_to(descriptor.features);
  return descriptor;
}

}  // namespace

std::vector<std::string> firmware_folders(const std::vector<std::string>& more) {
  std::vector<std::string> folders = {config_home() + "/qemu/firmware", "/etc/qemu/firmware",
                                      "/usr/share/qemu/firmware"};
  for (const auto& folder : more) {
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) {
      folders.push_back(folder);
    }
  }
  return folders;
}

std::vector<FirmwareDescriptor> firmware_descriptors(const std::vector<std::string>& folders,
                                                     std::vector<std::string>* notes) {
  const auto note = [&](const std::string& text) {
    if (notes != nullptr) notes->push_back(text);
  };
  // The same name in a folder of higher rank hides the file; among the files that are left, the
  // name alone decides ("10-…" before "20-…"), whatever folder it is from.
  std::map<std::string, std::string> files;
  for (const auto& folder : folders) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      const std::string name = entry.path().filename().string();
      if (name.size() > 5 && name.ends_with(".json") && name.front() != '.') {
        files.emplace(name, entry.path().string());
      }
    }
  }
  std::vector<FirmwareDescriptor> descriptors;
  for (const auto& [name, file] : files) {
    const auto text = try_read_file(file);
    if (!text) {
      note(file + " cannot be read");
      continue;
    }
    if (text->empty()) continue;  // hides the others of its name, as a link to /dev/null does
    try {
      descriptors.push_back(parse_descriptor(file, json::parse(*text)));
    } catch (const json::exception&) {
      note(file + " is not a firmware descriptor");
    }
  }
  return descriptors;
}

}  // namespace qlaunch
