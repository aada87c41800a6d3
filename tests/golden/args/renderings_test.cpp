// SPDX-License-Identifier: MIT
// A plan as a script, as an explanation and as arrays.
#include "core/error.hpp"
#include "facts.hpp"
#include "golden.hpp"
#include "plan/explain.hpp"
#include "plan/script.hpp"

#include <cstdlib>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include <unistd.h>

namespace {

const std::string golden_folder = GOLDEN_FOLDER;
const std::string source_folder = SOURCE_FOLDER;

test::Case for_script() {
  auto out = test::usual_case();
  out.input.sockets = qlaunch::SocketStyle::path;
  out.input.paths.runtime = qlaunch::script_folder;
  return out;
}

std::string script_of(const std::string& path, const test::Case& a_case) {
  const auto planned = test::planned(path, a_case);
  REQUIRE_MESSAGE(!qlaunch::has_errors(planned.diagnostics), qlaunch::render(planned.diagnostics));
  static const std::uint8_t code[] = {0xfa, 0x31, 0xc0, 0x27, 0x25, 0x00, 0x55, 0xaa};
  return qlaunch::plan_script(planned.plan, {"/usr/bin/qemu-img", code, std::size_t{1} << 20});
}

/// Runs `command` on the script; true where its exit code is 0.
bool accepts(const std::string& command, const std::string& script) {
  std::string path = "/tmp/qlaunch-script-XXXXXX";
  const int file = mkstemp(path.data());
  REQUIRE(file >= 0);
  ::close(file);
  std::ofstream(path, std::ios::binary) << script;
  const int status = std::system((command + ' ' + path).c_str());  // NOLINT: a fixed command
  ::unlink(path.c_str());
  return status == 0;
}

void check_script(const std::string& path, const test::Case& a_case, const std::string& golden) {
  const auto script = script_of(path, a_case);
  test::compare("args/" + golden + ".sh", script);
  CHECK(accepts("sh -n", script));
  CHECK(script.find('\x01') == std::string::npos);
  CHECK(script.find("u0001") == std::string::npos);
  if (std::system("command -v shellcheck >/dev/null") != 0) {  // NOLINT
    MESSAGE("shellcheck is not installed");
    return;
  }
  CHECK(accepts("shellcheck -s sh", script));
}

}  // namespace

TEST_CASE("script: hello") {
  check_script(source_folder + "/profiles/hello.toml", for_script(), "hello");
}

TEST_CASE("script: firmware, TPM") {
  check_script(golden_folder + "/args/secure.toml", for_script(), "secure");
}

TEST_CASE("script: shares by the C virtiofsd") {
  auto a_case = for_script();
  a_case.facts.virtiofsd = "/usr/lib/qemu/virtiofsd";
  a_case.facts.virtiofsd_kind = qlaunch::VirtiofsdKind::c;
  check_script(golden_folder + "/args/shares.toml", a_case, "shares-c-user");
  check_script(source_folder + "/profiles/nix-store-share.toml", a_case, "nix-store-share");
}

TEST_CASE("script: disks of every kind, an overlay in the scratch folder") {
  check_script(golden_folder + "/args/buses.toml", for_script(), "buses");
}

TEST_CASE("script: hostile values and credentials") {
  auto files = test::usual_files();
  files["/profiles/sha,re d"] = test::folder();
  auto a_case = for_script();
  a_case.facts = test::usual_facts(files);
  check_script(golden_folder + "/args/hostile.toml", a_case, "hostile");
  check_script(golden_folder + "/args/identity.toml", a_case, "identity");
}

TEST_CASE("explain: nixos-workspace") {
  const auto planned =
      test::planned(source_folder + "/profiles/nixos-workspace.toml", test::usual_case());
  REQUIRE_FALSE(qlaunch::has_errors(planned.diagnostics));
  test::compare("args/nixos-workspace.explain", qlaunch::explain_plan(planned.plan, 80));
}

TEST_CASE("explain: a helper and what is made first") {
  const auto planned =
      test::planned(source_folder + "/profiles/nix-store-share.toml", test::usual_case());
  REQUIRE_FALSE(qlaunch::has_errors(planned.diagnostics));
  test::compare("args/nix-store-share.explain", qlaunch::explain_plan(planned.plan, 80));
}

TEST_CASE("explain: helpers in a user namespace") {
  auto a_case = test::usual_case();
  a_case.facts.virtiofsd = "/usr/lib/qemu/virtiofsd";
  a_case.facts.virtiofsd_kind = qlaunch::VirtiofsdKind::c;
  const auto planned = test::planned(golden_folder + "/args/shares.toml", a_case);
  REQUIRE_FALSE(qlaunch::has_errors(planned.diagnostics));
  test::compare("args/shares-c-user.explain", qlaunch::explain_plan(planned.plan, 80));
}

TEST_CASE("arguments as JSON: nix-store-share by QEMU's own virtiofsd") {
  auto a_case = test::usual_case();
  a_case.facts.virtiofsd = "/usr/lib/qemu/virtiofsd";
  a_case.facts.virtiofsd_kind = qlaunch::VirtiofsdKind::c;
  const auto planned = test::planned(source_folder + "/profiles/nix-store-share.toml", a_case);
  REQUIRE_FALSE(qlaunch::has_errors(planned.diagnostics));
  test::compare("args/nix-store-share.json", qlaunch::plan_arguments_json(planned.plan));
}
