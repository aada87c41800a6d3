// SPDX-License-Identifier: MIT
#include "profile/expand.hpp"
#include "profile/ports.hpp"
#include "profile/syntax.hpp"
#include "texts.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;
using test::sound;

namespace {

const std::string disk = "[[disk]]\nsize = \"1 GiB\"\n";

}  // namespace

TEST_CASE("forwards in every form") {
  const auto one = [](std::string_view text) {
    const auto parsed = parse_forward(text);
    REQUIRE_FALSE(parsed.problem.has_value());
    REQUIRE(parsed.forwards.size() == 1);
    return parsed.forwards[0];
  };
  CHECK(one("2223:22") == Forward{Protocol::tcp, "127.0.0.1", 2223, 22});
  CHECK(one("tcp:2223:22") == Forward{Protocol::tcp, "127.0.0.1", 2223, 22});
  CHECK(one("0.0.0.0:2223:22") == Forward{Protocol::tcp, "0.0.0.0", 2223, 22});
  CHECK(one("udp:127.0.0.1:5353:53") == Forward{Protocol::udp, "127.0.0.1", 5353, 53});
  CHECK(one("auto:80") == Forward{Protocol::tcp, "127.0.0.1", 0, 80});
  CHECK(one("udp:192.168.1.5:auto:53") == Forward{Protocol::udp, "192.168.1.5", 0, 53});
  CHECK(one("65535:1") == Forward{Protocol::tcp, "127.0.0.1", 65535, 1});

  const auto range = parse_forward("8000-8002:80-82").forwards;
  REQUIRE(range.size() == 3);
  CHECK(range[2] == Forward{Protocol::tcp, "127.0.0.1", 8002, 82});
  const auto free = parse_forward("auto:80-81").forwards;
  REQUIRE(free.size() == 2);
  CHECK(free[1] == Forward{Protocol::tcp, "127.0.0.1", 0, 81});
}

TEST_CASE("a forward is written as it is read") {
  for (const std::string text :
       {"2223:22", "0.0.0.0:2223:22", "udp:5353:53", "udp:10.0.0.1:5353:53", "auto:80"})
    CHECK(forward_text(parse_forward(text).forwards.at(0)) == text);
}

TEST_CASE("forwards that cannot be") {
  for (const std::string text : {"",
                                 ":",
                                 "22",
                                 "auto",
                                 "2223:",
                                 ":22",
                                 "2223:22:",
                                 "a:b",
                                 "-1:22",
                                 "2223:22 ",
                                 " 2223:22",
                                 "99999999999999999999:22",
                                 "tcp:22",
                                 "127.0.0.1:22",
                                 "256.0.0.1:2223:22",
                                 "1.2.3:22:22",
                                 "tcp:udp:1:2",
                                 "1:2:3:4:5",
                                 "[::1]:2223:22",
                                 "2223-2222:1-2",
                                 "1-:1-2",
                                 "auto:auto",
                                 "2223:22\n"}) {
    CAPTURE(text);
    const auto parsed = parse_forward(text);
    REQUIRE(parsed.problem.has_value());
    CHECK(parsed.forwards.empty());
    CHECK_FALSE(parsed.problem->help.empty());
  }
}

TEST_CASE("what ready waits for") {
  CHECK(parse_ready("serial:login: x").when == ReadyWhen{ReadyWhen::Kind::serial, "login: x", 0});
  CHECK(parse_ready("port:8080").when == ReadyWhen{ReadyWhen::Kind::port, {}, 8080});
  CHECK(parse_ready("agent").when.kind == ReadyWhen::Kind::agent);
  for (const std::string text : {"", "SSH", "port:", "port:0", "port:1-2", "serial", "ssh:22"})
    CHECK(parse_ready(text).problem.has_value());
}

TEST_CASE("forms of single values") {
  CHECK_FALSE(check_mac("52:54:00:ab:CD:ef"));
  CHECK(check_mac("52-54-00-ab-cd-ef"));
  CHECK(check_mac("01:00:5e:00:00:01"));
  CHECK(check_mac("00:00:00:00:00:00"));
  CHECK_FALSE(check_rtc("2024-02-29"));
  CHECK(check_rtc("2026-04-31"));
  CHECK_FALSE(check_rtc("2026-01-31T23:59:59"));
  CHECK(check_rtc("2026-01-31T24:00:00"));
  CHECK(check_rtc("2026-01-31T12:00:00Z"));
  CHECK_FALSE(check_subnet("10.0.2.0/24"));
  CHECK(check_subnet("10.0.2.0/33"));
  CHECK(check_subnet("10.0.2.0"));
  CHECK_FALSE(check_vm_name("a.b_c-1"));
  CHECK(check_vm_name(".."));
  CHECK(check_vm_name("a/b"));
  CHECK_FALSE(check_vm_name(std::string(64, 'a')));
  CHECK(check_vm_name(std::string(65, 'a')));
  CHECK_FALSE(check_peer("[fe80::1]:4000"));
  CHECK_FALSE(check_peer("host.example:4000"));
  CHECK(check_peer("host:0"));
  CHECK_FALSE(check_endpoint(":4000"));
  CHECK_FALSE(check_ssh_key("ssh-ed25519 AAAAC3Nz you@host"));
  CHECK(check_ssh_key("ssh-ed25519"));
  CHECK_FALSE(check_hostname("a.b-c"));
  CHECK(check_hostname("a..b"));
  CHECK(parse_ipv4("010.0.0.1") == std::nullopt);
  CHECK(parse_ipv4("10.0.2.15") == 0x0a00020fU);
}

TEST_CASE("variables and the home folder") {
  const auto environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "x";
    if (name == "EMPTY") return "";
    return std::nullopt;
  };
  const auto expand = [&](std::string_view text) {
    return expand_variables(text, "/home/u", environment);
  };
  CHECK(expand("~").text == "/home/u");
  CHECK(expand("~/a").text == "/home/u/a");
  CHECK(expand("a~b").text == "a~b");
  CHECK(expand("$A/${A}b$$A").text == "x/xb$A");
  CHECK(expand("$EMPTY/b").text == "/b");
  const auto unset = expand("a/$NONE/b");
  REQUIRE(unset.problem.has_value());
  CHECK(unset.problem->offset == 2);
  CHECK(unset.problem->length == 5);
  for (const std::string text : {"$", "a$", "${}", "${A", "$1", "${1}", "~root"})
    CHECK(expand(text).problem.has_value());
  CHECK(expand_variables("~/a", "", environment).problem.has_value());
}

TEST_CASE("paths become absolute from the profile that says them") {
  CHECK(absolute_path("a/./b//c", "/vms") == "/vms/a/b/c");
  CHECK(absolute_path("/a/", "/vms") == "/a");
  CHECK(absolute_path("../a", "/vms") == "/vms/../a");
  const auto profile = sound(
      "[kernel]\nimage = \"bz\"\ninitrd = \"$WORK/initrd\"\n[[share]]\ntag = \"a\"\npath = \"~\"\n"
      "[[disk]]\nfile = \"../d.qcow2\"\n[[disk]]\nimage = \"sub/base\"\n"
      "[qemu]\nbinary = \"qemu-kvm\"\nargs = [\"$WORK\", \"~\"]\n");
  CHECK(profile.kernel.image == "/vms/bz");
  CHECK(profile.kernel.initrd == "/srv/work/initrd");
  CHECK(profile.shares[0].path == "/home/user");
  CHECK(profile.disks[0].file == "/vms/../d.qcow2");
  CHECK(profile.disks[1].image == "/vms/sub/base");
  // What may be a command's name is no path, and other values are left as they are.
  CHECK(profile.qemu.binary == "qemu-kvm");
  CHECK(profile.qemu.args == std::vector<std::string>{"$WORK", "~"});
  CHECK(sound(disk + "[qemu]\nbinary = \"./qemu\"\n").qemu.binary == "/vms/qemu");
}

TEST_CASE("a disk's image is an [[image]], a built-in or a path") {
  const std::string image = "[[image]]\nname = \"a.img\"\nurl = \"https://e.org/x\"\nsha256 = \"" +
                            std::string(64, '0') + "\"\n";
  CHECK(sound(image + "[[disk]]\nimage = \"a.img\"\n").disks[0].image == "a.img");
  CHECK(sound("[[disk]]\nimage = \"a.img\"\n").disks[0].image == "/vms/a.img");
  CHECK(sound("[[disk]]\nimage = \"builtin:hello\"\n").disks[0].image == "builtin:hello");
  CHECK(sound(image + "[[disk]]\nimage = \"a.img\"\n").images[0].arch == "x86_64");
}

TEST_CASE("a date for the clock needs no quotes") {
  CHECK(sound(disk + "[machine]\nrtc = 2026-01-31\n").machine.rtc == "2026-01-31");
  CHECK(sound(disk + "[machine]\nrtc = 2026-01-31T12:30:00\n").machine.rtc ==
        "2026-01-31T12:30:00");
  CHECK(test::findings(disk + "[machine]\nrtc = 2026-01-31T12:30:00Z\n").find("without a time") !=
        std::string::npos);
}

TEST_CASE("`mapped` is what QEMU calls mapped-xattr for short") {
  const auto profile = sound(disk +
                             "[[share]]\ntag = \"a\"\npath = \"/a\"\ndriver = \"9p\"\n"
                             "security_model = \"mapped\"\n");
  CHECK(profile.shares[0].security_model == SecurityModel::mapped_xattr);
}
