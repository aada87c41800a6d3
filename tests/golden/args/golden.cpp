// SPDX-License-Identifier: MIT
#include "golden.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "facts.hpp"
#include "plan/explain.hpp"
#include "profile/load.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace test {

namespace {

const std::string golden_folder = GOLDEN_FOLDER;
const std::string source_folder = SOURCE_FOLDER;

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw qlaunch::Error("cannot read " + path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string folder_part(const std::string& path) {
  return path.substr(0, path.rfind('/'));
}
std::string file_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

void add_words(std::string& out, const qlaunch::Command& command) {
  for (const auto& word : command.argv()) out += qlaunch::printable(word) + '\n';
  for (const auto& one : command.variables)
    out += "# variable " + one.name + '=' + one.value + " unless set\n";
  for (const auto& one : command.descriptors)
    out += "# descriptor " + std::to_string(one.number) + ": " + one.role +
           (one.bridge.empty() ? " at " + one.path : " on " + one.bridge + " by " + one.helper) +
           '\n';
}

}  // namespace

Case usual_case() {
  Case out{usual_facts(), {}, {}};
  out.input.paths = {"/run/user/1000/qlaunch/vm", "/home/user/.local/share/qlaunch/vm",
                     "/home/user/.local/state/qlaunch/vm", "/home/user/.cache/qlaunch"};
  return out;
}

qlaunch::Planned planned(const std::string& path, const Case& a_case) {
  qlaunch::ProfileWorld world;
  const auto folder = folder_part(path);
  world.read = [folder](const std::string& wanted) {
    return read(folder + '/' + file_part(wanted));
  };
  world.find = [](const std::string&, const std::string&) { return std::nullopt; };
  world.environment = [](const std::string&) { return std::nullopt; };
  world.home = a_case.facts.home;
  const auto name = file_part(path);
  auto loaded = qlaunch::load_profile("/profiles/" + name, name, a_case.settings, world);
  if (qlaunch::has_errors(loaded.diagnostics)) return {{}, std::move(loaded.diagnostics)};
  auto result = qlaunch::make_plan(loaded.profile, a_case.facts, a_case.input);
  result.diagnostics.insert(result.diagnostics.begin(), loaded.diagnostics.begin(),
                            loaded.diagnostics.end());
  return result;
}

std::string args_text(const qlaunch::Planned& planned) {
  std::string out;
  const auto& plan = planned.plan;
  const auto json = nlohmann::ordered_json::parse(qlaunch::plan_arguments_json(plan));
  for (const auto& one : json.at("preparations")) out += "# prepare " + one.dump() + '\n';
  for (const auto& helper : plan.helpers) {
    out += "# helper " + helper.name + '\n';
    add_words(out, helper.command);
    if (!helper.readonly_folder.empty())
      out += "# read-only " + qlaunch::printable(helper.readonly_folder) + '\n';
    if (helper.user_namespace) out += "# user namespace\n";
  }
  out += "# qemu\n";
  add_words(out, plan.qemu);
  if (!planned.diagnostics.empty()) out += "# said\n" + qlaunch::render(planned.diagnostics);
  return out;
}

void compare(const std::string& file, const std::string& text) {
  const auto path = golden_folder + '/' + file;
  const char* accept = std::getenv("QLAUNCH_TEST_ACCEPT");
  if (accept != nullptr && std::string(accept) == "1") {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::string wanted;
  REQUIRE_NOTHROW(wanted = read(path));
  CHECK_MESSAGE(text == wanted, file, " differs; QLAUNCH_TEST_ACCEPT=1 writes it anew");
  if (text == wanted) return;
  const auto got = qlaunch::split(text, '\n');
  const auto lines = qlaunch::split(wanted, '\n');
  for (std::size_t index = 0; index < std::max(got.size(), lines.size()); ++index) {
    const auto left = index < lines.size() ? lines[index] : "(end)";
    const auto right = index < got.size() ? got[index] : "(end)";
    if (left == right) continue;
    MESSAGE("line ", index + 1, "\n  wanted: ", left, "\n  got:    ", right);
    return;
  }
}

namespace {

void check(const std::string& path, const Case& a_case, const std::string& golden) {
  const auto result = planned(path, a_case);
  REQUIRE_MESSAGE(!qlaunch::has_errors(result.diagnostics), qlaunch::render(result.diagnostics));
  for (const auto& argument : result.plan.qemu.arguments)
    CHECK_MESSAGE(!argument.reason.rule.empty(), argument.words.front(), " has no reason");
  for (const auto& helper : result.plan.helpers)
    for (const auto& argument : helper.command.arguments)
      CHECK_MESSAGE(!argument.reason.rule.empty(), argument.words.front(), " has no reason");
  for (const auto& one : result.plan.preparations) CHECK_FALSE(one.reason.rule.empty());
  const auto text = args_text(result);
  CHECK(text == args_text(planned(path, a_case)));
  compare("args/" + golden + ".args", text);
}

}  // namespace

void check_shipped(const std::string& name, const Case& a_case, const std::string& golden) {
  check(source_folder + "/profiles/" + name + ".toml", a_case, golden);
}

void check_args(const std::string& name, const Case& a_case, const std::string& golden) {
  check(golden_folder + "/args/" + name + ".toml", a_case, golden);
}

void check_error(const std::string& name, const Case& a_case) {
  const auto result = planned(golden_folder + "/plan_errors/" + name + ".toml", a_case);
  REQUIRE_FALSE(result.diagnostics.empty());
  compare("plan_errors/" + name + ".err", qlaunch::render(result.diagnostics));
}

}  // namespace test
