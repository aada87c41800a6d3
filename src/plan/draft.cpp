// SPDX-License-Identifier: MIT
#include "plan/draft.hpp"

#include "core/packages.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "plan/script.hpp"

#include <algorithm>
#include <utility>

namespace qlaunch::planner {

namespace {

// sun_path holds 108 bytes with its terminating zero.
constexpr std::size_t longest_socket_path = 107;

Diagnostic& add(std::vector<Diagnostic>& to, Severity severity, Location where,
                std::string message) {
  to.push_back({severity, std::move(message), std::move(where), {}, {}});
  return to.back();
}

}  // namespace

Draft::Draft(const Profile& the_profile, const HostFacts& the_facts, const PlanInput& the_input)
    : profile(the_profile), facts(the_facts), input(the_input) {}

Reason Draft::because(const std::string& key, std::string rule) const {
  Reason reason{{}, std::move(rule)};
  if (profile.is_set(key)) reason.where = profile.where(key);
  return reason;
}

void Draft::option(std::vector<std::string> words, Reason reason) {
  for (const auto& word : words) {
    if (word.find('\0') == std::string::npos) continue;
    add(diagnostics, Severity::error, reason.where ? reason.where : profile.file,
        "a value for " + words.front() + " contains a zero byte, which no program can be given");
    return;
  }
  if (words.front() == "-machine") machine_ = plan.qemu.arguments.size();
  plan.qemu.arguments.push_back({std::move(words), std::move(reason)});
}

void Draft::json_option(std::string name, const Value& value, Reason reason) {
  auto text = value.json();
  if (!first_invalid_utf8(text))
    return option({std::move(name), std::move(text)}, std::move(reason));
  // Only a path can bring such bytes: a profile is valid UTF-8 or was refused.
  add(diagnostics, Severity::error, reason.where ? reason.where : profile.file,
      "a path contains bytes that are not UTF-8, which QEMU's options cannot carry")
      .help.emplace_back("rename the folder, or reach it through a symbolic link");
}

void Draft::object(const Value& value, Reason reason) {
  json_option("-object", value, std::move(reason));
}

void Draft::device(const Value& value, Reason reason, const std::string& key) {
  const auto& driver = value.at("driver").text();
  if (!facts.qemu.devices.empty() && !facts.qemu.devices.contains(driver)) {
    auto& problem = error(key, "this QEMU has no device " + in_backticks(driver));
    if (const auto help = install_help(driver); !help.empty()) problem.help.push_back(help);
    return;
  }
  json_option("-device", value, std::move(reason));
}

void Draft::machine_property(const std::string& text, const std::string& why) {
  auto& argument = plan.qemu.arguments.at(machine_);
  argument.words.at(1) += ',' + text;
  argument.reason.rule += "; " + why;
}

std::string Draft::socket_path(const std::string& name) {
  auto path = plan.paths.runtime + '/' + name;
  // The script's folder is short, and stands here only as a mark.
  const bool marked = path.starts_with(script_folder);
  if (!marked && path.size() > longest_socket_path) {
    add(diagnostics, Severity::error, profile.where("name"),
        "the socket path " + in_backticks(path) + " has " + std::to_string(path.size()) +
            " bytes; the system takes at most " + std::to_string(longest_socket_path))
        .help.emplace_back("use a shorter name or tag, or a shorter XDG_RUNTIME_DIR");
  }
  return path;
}

std::string Draft::listening_socket(const std::string& role, const std::string& more) {
  const auto path = socket_path(role + ".sock");
  std::string from;
  if (input.sockets == SocketStyle::descriptor) {
    const int number = next_descriptor_++;
    plan.qemu.descriptors.push_back({number, role, path});
    from = "fd=" + std::to_string(number);
  } else {
    from = "path=" + escape_commas(path);
  }
  return "socket,id=" + role + ',' + from + ",server=on,wait=off" + more;
}

int Draft::bridge_tap(const std::string& role, const std::string& bridge) {
  const int number = next_descriptor_++;
  plan.qemu.descriptors.push_back({number, role, {}, bridge, facts.bridge_helper});
  return number;
}

int Draft::memory_file(std::uint64_t bytes) {
  const int number = next_descriptor_++;
  plan.qemu.descriptors.push_back({number, "memory", {}, {}, {}, bytes});
  return number;
}

std::string Draft::virtio(std::string_view device) const {
  return std::string(device) + (board == Board::microvm ? "-device" : "-pci");
}

std::string Draft::serial_bus() {
  if (!has_serial_bus_) {
    has_serial_bus_ = true;
    device({{"driver", virtio("virtio-serial")}, {"id", "virtio-serial"}},
           by_rule("one controller for every channel between guest and host"), "machine");
  }
  return "virtio-serial.0";
}

std::string Draft::usb_bus(const Reason& reason, const std::string& key) {
  if (!has_usb_bus_) {
    has_usb_bus_ = true;
    device({{"driver", "qemu-xhci"}, {"id", "usb"}, {"p2", 15}, {"p3", 15}},
           {reason.where,
            "USB needs a controller; xHCI serves every speed, and 15 ports is all "
            "that it can have"},
           key);
  }
  return "usb.0";
}

void Draft::need_folder(const std::string& path, std::string rule) {
  for (const auto& one : plan.preparations) {
    const auto* folder = std::get_if<MakeFolder>(&one.what);
    if (folder != nullptr && folder->path == path) return;
  }
  prepare({MakeFolder{path}, by_rule(std::move(rule))});
}

Diagnostic& Draft::error(const std::string& key, std::string message) {
  return add(diagnostics, Severity::error, profile.where(key), std::move(message));
}

Diagnostic& Draft::warning(const std::string& key, std::string message) {
  return add(diagnostics, Severity::warning, profile.where(key), std::move(message));
}

Diagnostic& Draft::note(const std::string& key, std::string message) {
  return add(diagnostics, Severity::note, profile.where(key), std::move(message));
}

void Draft::not_on_microvm(const std::string& key, const std::string& what) {
  error(key, "machine type `microvm` has no place for " + what)
      .help.emplace_back("use type = \"q35\", or leave it out");
}

FileFact Draft::file(const std::string& path) const {
  return facts.file ? facts.file(path) : FileFact{};
}

std::string key_of(std::string_view table, std::size_t index, std::string_view member) {
  std::string out = std::string(table) + '[' + std::to_string(index) + ']';
  if (!member.empty()) out.append(".").append(member);
  return out;
}

}  // namespace qlaunch::planner
