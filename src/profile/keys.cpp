// SPDX-License-Identifier: MIT
#include "profile/keys.hpp"

#include "profile/sections.hpp"

#include <algorithm>

namespace qlaunch {

const Key* Section::key(std::string_view name) const {
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const Key& each) { return each.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

std::string Section::heading() const {
  if (shape == SectionShape::top) return "the top level";
  const auto name = std::string(path);
  return shape == SectionShape::list ? "[[" + name + "]]" : '[' + name + ']';
}

const std::vector<Section>& profile_sections() {
  static const std::vector<Section> sections{
      top_section(),    machine_section(), smbios_section(),    cpu_section(),
      kernel_section(), disk_section(),    image_section(),     network_section(),
      share_section(),  display_section(), serial_section(),    audio_section(),
      usb_section(),    guest_section(),   guest_run_section(), guest_file_section(),
      ready_section(),  start_section(),   shutdown_section(),  qemu_section()};
  return sections;
}

const Section* find_section(std::string_view path) {
  for (const auto& section : profile_sections()) {
    if (section.path == path) return &section;
  }
  return nullptr;
}

const Section* find_child(const Section& parent, std::string_view name) {
  const auto path =
      parent.path.empty() ? std::string(name) : std::string(parent.path) + '.' + std::string(name);
  return path.empty() ? nullptr : find_section(path);
}

std::string profile_key_default(std::string_view path) {
  const auto dot = path.rfind('.');
  const auto* section =
      find_section(dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot));
  const auto* key = section == nullptr
                        ? nullptr
                        : section->key(dot == std::string_view::npos ? path : path.substr(dot + 1));
  return key == nullptr ? std::string() : std::string(key->fallback);
}

}  // namespace qlaunch
