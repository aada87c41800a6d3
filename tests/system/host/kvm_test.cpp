// SPDX-License-Identifier: MIT
// KVM is tried with the real QEMU, its failures with programs that play them.
#include "host/kvm.hpp"

#include "fixture.hpp"
#include "host/process.hpp"

#include <filesystem>

#include <doctest/doctest.h>

using namespace qlaunch;
using test::contains;
using test::CountedQemu;
using test::fake;
using test::Folder;
using test::has_qemu;
using test::roots_in;

TEST_CASE("the test guest runs to its end, and nothing else counts as that") {
  if (!has_qemu()) return;
  const std::string qemu = find_program("qemu-system-x86_64");
  CHECK(try_guest(qemu, "tcg", "max") == "");
  // No long mode: it stops on its way there.
  CHECK(try_guest(qemu, "tcg", "qemu32") != "");
  CHECK(try_guest(qemu, "no-such-accelerator", "max") != "");
}

TEST_CASE("failures of KVM are told in a line") {
  const Folder folder;
  const auto start = std::chrono::steady_clock::now();
  const auto verdict = [&](const std::string& script) {
    return try_guest(fake(folder, script), "kvm", "host");
  };
  CHECK(verdict("echo 'qemu-system-x86_64: warning: something' >&2\n"
                "echo \"$0: failed to initialize kvm: Device or resource busy\" >&2; exit 1") ==
        "failed to initialize kvm: Device or resource busy");
  CHECK(verdict("echo 'qemu: error: failed to set MSR 0x10a to 0x69' >&2; kill -6 $$") ==
        "failed to set MSR 0x10a to 0x69");
  CHECK(verdict("kill -11 $$") == "a test guest ended with killed by signal 11 (SIGSEGV)");
  CHECK(verdict("exit 0") == "a test guest ended with exit code 0");
  CHECK(verdict("echo works; exit 1") == "a test guest ended with exit code 1");
  // It stays, with its guest stopped; nobody waits for that.
  CHECK(verdict("echo 'KVM internal error. Suberror: 1' >&2; exec sleep 1000") ==
        "KVM internal error. Suberror: 1");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}

TEST_CASE("KVM is believed only after it was seen to work, and once a boot") {
  if (!has_qemu()) return;
  const Folder folder;
  const CountedQemu qemu(folder);
  const auto roots = roots_in(folder);
  const auto facts = qemu_facts(qemu.path(), roots);
  const auto starts = qemu.starts();
  const auto verdict = kvm_verdict(facts, roots);
  CHECK(verdict.works == verdict.problem.empty());
  CHECK_FALSE(contains(verdict.problem, "\n"));
  if (!std::filesystem::exists("/dev/kvm")) {
    CHECK(verdict.problem == "/dev/kvm is missing");
    CHECK(qemu.starts() == starts);
    return;
  }
  if (::access("/dev/kvm", R_OK | W_OK) != 0) {
    CHECK(verdict.problem == "/dev/kvm may not be opened by this user");
    CHECK(contains(verdict.help, "group kvm"));
    CHECK(qemu.starts() == starts);
    return;
  }
  CHECK(qemu.starts() == starts + 1);
  CHECK(verdict.works == try_guest(qemu.real(), "kvm", "host").empty());
  const auto remembered = kvm_verdict(facts, roots);
  CHECK(qemu.starts() == starts + 1);
  CHECK(remembered.works == verdict.works);
  CHECK(remembered.problem == verdict.problem);
  CHECK(remembered.help == verdict.help);
  kvm_verdict(facts, roots, true);
  CHECK(qemu.starts() == starts + 2);
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cache/probe")) {
    if (!entry.path().filename().string().starts_with("kvm-")) continue;
    auto text = read_file(entry.path());
    const auto at = text.find(boot_id());
    REQUIRE(at != std::string::npos);
    text[at] = text[at] == '0' ? '1' : '0';  // as after another boot
    write_file_atomic(entry.path(), text, 0600, Durability::quick);
  }
  kvm_verdict(facts, roots);
  CHECK(qemu.starts() == starts + 3);
}

TEST_CASE("a QEMU without KVM is not tried with it") {
  QemuFacts facts;
  facts.path = "/nonexistent";
  const Folder folder;
  CHECK(contains(kvm_verdict(facts, roots_in(folder)).problem, "built without KVM"));
}
