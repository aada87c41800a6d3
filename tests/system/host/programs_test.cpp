// SPDX-License-Identifier: MIT
// The programs beside QEMU are found, and doctor reports on all.
#include "fixture.hpp"
#include "host/doctor.hpp"
#include "host/facts.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <doctest/doctest.h>

using namespace qlaunch;
using test::contains;
using test::error_of;
using test::Folder;
using test::roots_in;
using test::Variable;

TEST_CASE("virtiofsd is found, its kind by asking, and the maintained one is preferred") {
  const Folder folder;
  const auto roots = roots_in(folder);
  const auto bundled = find_virtiofsd("/usr/bin/qemu-system-x86_64", roots);
  if (std::filesystem::exists("/usr/lib/qemu/virtiofsd") &&
      !std::filesystem::exists("/usr/libexec/virtiofsd")) {
    CHECK(bundled.path == "/usr/lib/qemu/virtiofsd");
    CHECK(bundled.kind == VirtiofsdKind::c);
    CHECK_FALSE(bundled.translates);
  }
  const std::string path = std::getenv("PATH");
  const Variable with_ours("PATH", folder.path() + ":" + path);
  folder.write("virtiofsd",
               "#!/bin/sh\ncase $1 in --version) echo virtiofsd 1.13.0;; "
               "--help) echo '  --translate-uid <X>';; esac\n",
               0755);
  const auto ours = find_virtiofsd("/usr/bin/qemu-system-x86_64", roots);
  CHECK(ours.path == folder / "virtiofsd");
  CHECK(ours.kind == VirtiofsdKind::rust);
  CHECK(ours.translates);
  // A program of that name that is something else does not do.
  folder.write("virtiofsd", "#!/bin/sh\nexit 1 # other\n", 0755);
  CHECK(find_virtiofsd("/usr/bin/qemu-system-x86_64", roots).path == bundled.path);
}

TEST_CASE("a virtiofsd that a profile names is taken, or refused by its name") {
  const Folder folder;
  const auto roots = roots_in(folder);
  const auto rust = folder.write("mine", "#!/bin/sh\necho virtiofsd 1.10.0\n", 0755);
  CHECK(named_virtiofsd(rust, roots).path == rust);
  CHECK(named_virtiofsd(rust, roots).kind == VirtiofsdKind::rust);
  const auto other = folder.write("other", "#!/bin/sh\necho GNU ed\n", 0755);
  CHECK(error_of([&] { named_virtiofsd(other, roots); }) ==
        "`" + other + "` is not virtiofsd, or a broken one");
  CHECK(contains(error_of([&] { named_virtiofsd(folder / "none", roots); }), "is not found"));
}

TEST_CASE("virtiofsd of a prefix is found by descriptor and by libexec") {
  const Folder folder;
  const auto roots = roots_in(folder);
  folder.folder("bin");
  const auto qemu = folder.write("bin/qemu-system-x86_64", "", 0755);
  const std::string rust = "#!/bin/sh\necho virtiofsd 1.10.0\n";
  const Variable config("XDG_CONFIG_HOME", folder / "config");
  const auto beside = [&] { return find_virtiofsd(qemu, roots); };
  if (const auto found = beside(); !found.path.empty() && found.kind == VirtiofsdKind::rust) {
    test::skip("a Rust virtiofsd is installed, and comes first");
    return;
  }
  folder.folder("libexec");
  const auto libexec = folder.write("libexec/virtiofsd", rust, 0755);
  CHECK(beside().path == libexec);
  CHECK_FALSE(beside().translates);
  make_folders(folder / "config/qemu/vhost-user");
  const auto described = folder.write("described", rust, 0755);
  folder.write("config/qemu/vhost-user/10-gpu.json", R"({"type": "gpu", "binary": "/bin/true"})");
  folder.write("config/qemu/vhost-user/20-bad.json", "{");
  folder.write("config/qemu/vhost-user/50-fs.json",
               R"({"type": "fs", "binary": ")" + described + "\"}");
  CHECK(beside().path == described);
}

TEST_CASE("qemu-img beside the binary is the one that fits it") {
  const Folder folder;
  folder.folder("bin");
  const auto qemu = folder.write("bin/qemu-system-x86_64", "", 0755);
  CHECK(find_qemu_img(qemu) == find_program("qemu-img"));
  const auto image = folder.write("bin/qemu-img", "", 0755);
  CHECK(find_qemu_img(qemu) == image);
  REQUIRE(::symlink("bin/qemu-system-x86_64", (folder / "link").c_str()) == 0);
  CHECK(find_qemu_img(folder / "link") == image);
}

TEST_CASE("doctor looks at everything, and says what mends it") {
  const Folder folder;
  const Variable home("QLAUNCH_HOME", folder / "home with space");
  const auto topics = [](const std::vector<Finding>& findings) {
    std::set<std::string> names;
    for (const auto& finding : findings) names.insert(finding.topic);
    return names;
  };
  const auto findings = examine_host(state_roots());
  for (const char* topic :
       {"qemu", "kvm", "qemu-img", "virtiofsd", "swtpm", "bios", "uefi", "uefi-secure",
        "namespaces", "bridge", "vhost-net", "vhost-vsock", "memory", "disk", "runtime"}) {
    CHECK(topics(findings).contains(topic));
  }
  for (const auto& finding : findings) {
    CAPTURE(finding.topic);
    CHECK_FALSE(finding.text.empty());
    CHECK_FALSE(contains(finding.text, "\n"));
    if (finding.level == Level::ok) CHECK(finding.mend.empty());
    if (finding.level == Level::problem) CHECK_FALSE(finding.mend.empty());
  }

  const Variable no_programs("PATH", folder.path());
  const auto without = examine_host(state_roots());
  const auto qemu = std::find_if(without.begin(), without.end(),
                                 [](const auto& finding) { return finding.topic == "qemu"; });
  REQUIRE(qemu != without.end());
  CHECK(qemu->level == Level::problem);
  CHECK(qemu->mend == install_command("qemu"));
  CHECK(topics(without).contains("runtime"));

  make_folders(folder / "home with space");
  remove_tree(folder / "home with space/run");
  folder.write("home with space/run", "in the way");
  const auto blocked = examine_host(state_roots());
  CHECK(blocked.back().topic == "runtime");
  CHECK(blocked.back().level == Level::problem);
}
