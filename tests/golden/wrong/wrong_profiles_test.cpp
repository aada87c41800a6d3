// SPDX-License-Identifier: MIT
// Every wrong profile of this folder against the whole text of what is said about it.
#include "core/error.hpp"
#include "profile/load.hpp"
#include "profile/read_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include <doctest/doctest.h>

namespace {

namespace fs = std::filesystem;

const fs::path folder = WRONG_PROFILES;

// The list is written out, so that a file that is not tested fails the test below.
std::set<std::string>& listed() {
  static std::set<std::string> names;
  return names;
}

struct Listed {
  explicit Listed(const char* name) { listed().insert(name); }
};

qlaunch::ProfileWorld fake_world() {
  qlaunch::ProfileWorld world;
  world.read = qlaunch::read_profile_file;
  world.find = [](const std::string&, const std::string&) { return std::nullopt; };
  world.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "HOME") return "/home/user";
    return std::nullopt;
  };
  world.home = "/home/user";
  return world;
}

std::string findings(const std::string& name) {
  const auto file = name + ".toml";
  return qlaunch::render(
      qlaunch::load_profile((folder / file).string(), file, {}, fake_world()).diagnostics);
}

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void check_case(const std::string& name) {
  const auto text = findings(name);
  // What is said must not depend on where the tree lies.
  CHECK(text.find(folder.string()) == std::string::npos);
  const auto expected = folder / (name + ".err");
  if (std::getenv("QLAUNCH_TEST_ACCEPT") != nullptr) {
    std::ofstream(expected, std::ios::binary) << text;
    return;
  }
  CHECK(!text.empty());
  CHECK(text == content(expected));
}

}  // namespace

#define CASE(name)                          \
  static const Listed listed_##name(#name); \
  TEST_CASE(#name) {                        \
    check_case(#name);                      \
  }

CASE(audio_spice)
CASE(auto_forward_clash)
CASE(auto_forward_range)
CASE(auto_forward_rules)
CASE(bad_escape)
CASE(boot_empty)
CASE(boot_slip)
CASE(boot_twice)
CASE(bootspec_and_kernel)
CASE(bridge_without_name)
CASE(cdrom_bus)
CASE(cdrom_size)
CASE(choice_no_guess)
CASE(choice_slip)
CASE(colon_for_equals)
CASE(control_character)
CASE(count_out_of_range)
CASE(cpu_feature_sign)
CASE(cpu_model_features)
CASE(cpu_topology)
CASE(cpu_topology_large)
CASE(cpu_topology_part)
CASE(daemonize)
CASE(date_for_string)
CASE(description_lines)
CASE(digest_digit)
CASE(digest_length)
CASE(disk_aio)
CASE(disk_base_and_image)
CASE(disk_empty_readonly)
CASE(disk_ephemeral_readonly)
CASE(disk_files)
CASE(disk_image_builtin)
CASE(disk_image_none)
CASE(disk_image_unknown)
CASE(disk_image_url)
CASE(disk_name)
CASE(disk_names)
CASE(disk_not_sectors)
CASE(disk_of_nothing)
CASE(disk_on_itself)
CASE(disk_raw_overlay)
CASE(disk_serial)
CASE(disk_too_small)
CASE(disk_written_twice)
CASE(display_listen)
CASE(display_vnc_port)
CASE(duration_unit)
CASE(duration_zero)
CASE(empty_file)
CASE(empty_path)
CASE(environment_name)
CASE(escape_hex)
CASE(extends_broken)
CASE(extends_cycle)
CASE(extends_empty)
CASE(extends_folder)
CASE(extends_itself)
CASE(extends_missing)
CASE(extends_unknown_name)
CASE(extends_wrong_base)
CASE(extends_wrong_item)
CASE(extends_wrong_type)
CASE(foreign_space)
CASE(forward_everywhere)
CASE(forward_ipv6)
CASE(forward_on_bridge)
CASE(forward_one_port)
CASE(forward_out_of_range)
CASE(forward_protocol)
CASE(forward_ranges)
CASE(forward_twice)
CASE(forward_twice_any)
CASE(forward_words)
CASE(fraction_for_integer)
CASE(guest_contradictions)
CASE(guest_root)
CASE(guest_user)
CASE(header_letters)
CASE(header_no_name)
CASE(header_not_closed)
CASE(hostname)
CASE(image_incomplete)
CASE(image_names)
CASE(initrd_without_kernel)
CASE(inline_twice)
CASE(integer_for_boolean)
CASE(integer_for_duration)
CASE(integer_for_size)
CASE(integer_for_string)
CASE(integers_in_list)
CASE(interface_name)
CASE(key_twice)
CASE(line_left_over)
CASE(list_as_section)
CASE(list_as_value)
CASE(list_for_string)
CASE(list_not_closed)
CASE(list_of_words)
CASE(long_line)
CASE(mac_form)
CASE(mac_multicast)
CASE(machine_options)
CASE(many_problems)
CASE(map_values)
CASE(memory_decimal)
CASE(memory_fraction)
CASE(memory_not_a_size)
CASE(memory_too_large)
CASE(memory_unit)
CASE(memory_zero)
CASE(microvm)
CASE(mount_relative)
CASE(name_characters)
CASE(name_leading_dash)
CASE(name_too_long)
CASE(nested_without_vmx)
CASE(network_macs)
CASE(network_names)
CASE(network_none_mac)
CASE(nothing_to_boot)
CASE(nul_in_string)
CASE(only_comments)
CASE(queue_size)
CASE(queue_size_power)
CASE(ready_agent_off)
CASE(ready_not_told)
CASE(ready_own_user_data)
CASE(ready_port)
CASE(ready_port_not_forwarded)
CASE(ready_provisioned)
CASE(ready_serial_empty)
CASE(ready_serial_none)
CASE(ready_ssh_not_forwarded)
CASE(ready_word)
CASE(rtc)
CASE(run_as_nobody)
CASE(section_as_list)
CASE(section_as_value)
CASE(section_twice)
CASE(secure_boot_on_pc)
CASE(share_keys_of_9p)
CASE(share_mounts)
CASE(share_tags)
CASE(share_without_path)
CASE(share_without_tag)
CASE(socket_addresses)
CASE(socket_with_two_ends)
CASE(socket_without_end)
CASE(ssh_key)
CASE(string_for_boolean)
CASE(string_for_integer)
CASE(string_for_list)
CASE(string_not_closed)
CASE(subnet)
CASE(tabs_and_returns)
CASE(tag_long_9p)
CASE(tag_long_virtiofs)
CASE(tag_with_space)
CASE(tap_without_name)
CASE(typographic_quotes)
CASE(unknown_key)
CASE(unknown_key_elsewhere)
CASE(unknown_key_in_list)
CASE(unknown_key_nested)
CASE(unknown_key_no_guess)
CASE(unknown_key_of_several)
CASE(unknown_key_other_word)
CASE(unknown_key_top)
CASE(unknown_list)
CASE(unknown_list_plural)
CASE(unknown_nested_section)
CASE(unknown_run_key)
CASE(unknown_section)
CASE(unknown_section_no_guess)
CASE(url)
CASE(usb)
CASE(uuid)
CASE(value_missing)
CASE(value_without_quotes)
CASE(variable_form)
CASE(variable_multiline)
CASE(variable_unset)
CASE(wide_characters)
CASE(yes_for_true)

TEST_CASE("every profile in the folder is listed, and has its text") {
  std::set<std::string> found;
  std::set<std::string> texts;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".toml") found.insert(entry.path().stem().string());
    if (entry.path().extension() == ".err") texts.insert(entry.path().stem().string());
  }
  CHECK(found == listed());
  CHECK(texts == listed());
}
