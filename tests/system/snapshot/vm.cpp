// SPDX-License-Identifier: MIT
#include "snapshot/vm.hpp"

#include "core/text.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <doctest/doctest.h>

using nlohmann::json;

namespace snap {
namespace {

constexpr std::size_t block_size = std::size_t{64} << 10;

}  // namespace

std::string profile(const std::string& more, const std::string& tail) {
  return "name = \"vm\"\n[machine]\nmemory = \"16 MiB\"\naccel = \"tcg\"\nrng = false\n"
         "balloon = false\nguest_agent = false\nhotplug_ports = 0\n" +
         more +
         "[[disk]]\nname = \"root\"\nimage = \"builtin:hello\"\n"
         "[[disk]]\nname = \"data\"\nsize = \"1 MiB\"\n"
         "[[disk]]\nname = \"more\"\nsize = \"1 MiB\"\n"
         "[[network]]\nmode = \"none\"\n[display]\ntype = \"none\"\ngpu = \"none\"\n"
         "[ready]\nwhen = \"serial:hello from qlaunch\"\n" +
         tail;
}

Vm::Vm(test::Home& home, const std::string& text) : home_(home) {
  home.write("vm.toml", text);
}

std::string Vm::run(const std::vector<std::string>& words) const {
  const auto done = home_.run(words);
  REQUIRE_MESSAGE(done.code == 0, qlaunch::join(words, " ") << ": " << done.code << done.err);
  return done.out;
}

std::string Vm::create(const std::string& tag, const std::vector<std::string>& more) const {
  std::vector<std::string> words{"snapshot", "create", "vm", tag};
  words.insert(words.end(), more.begin(), more.end());
  return run(words);
}

std::string Vm::revert(const std::string& tag, const std::vector<std::string>& more) const {
  std::vector<std::string> words{"snapshot", "revert", "vm", tag};
  words.insert(words.end(), more.begin(), more.end());
  return run(words);
}

json Vm::list() const {
  return json::parse(run({"snapshot", "list", "vm", "--json"}));
}

json Vm::find(const std::string& tag) const {
  for (const auto& each : list()) {
    if (each.at("tag") == tag) return each;
  }
  return {};
}

std::string Vm::tags() const {
  std::vector<std::string> out;
  for (const auto& each : list()) {
    auto text = each.at("tag").get<std::string>();
    if (each.at("current") == true) text += '*';
    if (each.at("health") != "whole") text += '!' + each.at("health").get<std::string>();
    out.push_back(text);
  }
  return qlaunch::join(out, " ");
}

std::string Vm::state() const {
  return std::string(qlaunch::trim(run({"status", "vm", "--get", "state"})));
}

int Vm::pid() const {
  return std::atoi(run({"status", "vm", "--get", "pid"}).c_str());
}

std::string Vm::file(const std::string& name) const {
  return home_.path() + "/data/vm/" + name;
}

std::string Vm::monitor(const std::string& line) const {
  return run({"qmp", "vm", "human-monitor-command", json{{"command-line", line}}.dump()});
}

void Vm::write(const std::string& disk, int block, char letter) const {
  write(disk, block, letter, state() != "stopped");
}

void Vm::write(const std::string& disk, int block, char letter, bool runs) const {
  const auto at = std::to_string(static_cast<std::size_t>(block) * block_size);
  // Past every cache.
  const auto what = "write -f -P " + std::to_string(static_cast<int>(letter)) + ' ' + at + " 64k";
  if (runs) {
    const auto said =
        monitor("qemu-io -d /machine/peripheral/drive-" + disk + "/virtio-backend \"" + what + '"');
    REQUIRE_MESSAGE(test::contains(said, "\"\""), said);
    return;
  }
  // A QEMU that was killed holds its disks for a moment longer than it lives.
  std::string said;
  REQUIRE_MESSAGE(test::eventually([&] {
                    const auto done = qlaunch::run_and_capture(
                        home_.program({"qemu-io", "-f", "qcow2", "-c", what, this->disk(disk)}),
                        std::chrono::minutes(1), std::size_t{1} << 16U);
                    said = done.err;
                    return done.ok();
                  }),
                  said);
}

std::string Vm::content(const std::string& disk) const {
  const auto raw = home_.path() + "/content.raw";
  const auto done = qlaunch::run_and_capture(
      {"qemu-img", "convert", "-U", "-f", "qcow2", "-O", "raw", this->disk(disk), raw});
  REQUIRE_MESSAGE(done.ok(), done.err);
  const auto bytes = qlaunch::read_file(raw);
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += block_size) {
    const auto block = bytes.substr(at, block_size);
    const bool same = block.find_first_not_of(block.front()) == std::string::npos;
    out += !same ? '?' : block.front() == '\0' ? '.' : block.front();
  }
  return out;
}

long Vm::ticks() const {
  const auto said = monitor("xp /1wd 0x46c");
  const auto colon = said.find(": ");
  REQUIRE_MESSAGE(colon != std::string::npos, said);
  return std::atol(said.c_str() + colon + 1);
}

void Vm::expect_whole_disks(bool strict) const {
  for (const auto& name : {"root", "data", "more", "state"}) {
    if (!std::filesystem::exists(disk(name))) continue;
    const auto done = qlaunch::run_and_capture({"qemu-img", "check", "-f", "qcow2", disk(name)});
    const bool leaks = done.status >> 8 == 3;
    CHECK_MESSAGE((done.ok() || (leaks && !strict)), name << ": " << done.out << done.err);
  }
}

std::vector<std::string> tags_in(const std::string& path) {
  const auto done = qlaunch::run_and_capture({"qemu-img", "info", "-U", "--output=json", path});
  REQUIRE_MESSAGE(done.ok(), done.err);
  std::vector<std::string> out;
  for (const auto& each : json::parse(done.out).value("snapshots", json::array()))
    out.push_back(each.at("name"));
  return out;
}

}  // namespace snap
