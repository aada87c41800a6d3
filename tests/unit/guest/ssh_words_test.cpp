// SPDX-License-Identifier: MIT
#include "guest/ssh_words.hpp"

#include "core/error.hpp"

#include <doctest/doctest.h>

using qlaunch::folder_in_guest;
using qlaunch::guest_command_line;
using qlaunch::parse_copy_place;
using qlaunch::parse_ssh_target;

TEST_CASE("who and where ssh is to go") {
  const auto plain = parse_ssh_target("web");
  CHECK(plain.user.empty());
  CHECK(plain.vm == "web");
  CHECK(plain.inner.empty());

  const auto user = parse_ssh_target("root@web");
  CHECK(user.user == "root");
  CHECK(user.vm == "web");

  // As ssh has it, the last one separates.
  const auto domain = parse_ssh_target("ann@example.org@web");
  CHECK(domain.user == "ann@example.org");
  CHECK(domain.vm == "web");

  const auto layered = parse_ssh_target("root@outer/middle/inner");
  CHECK(layered.user == "root");
  CHECK(layered.vm == "outer");
  CHECK(layered.inner == "middle/inner");

  for (const auto* profile :
       {"./web.toml", "../a@b/web.toml", "/vms/web.toml", "~/web", "vms/web.toml"}) {
    const auto target = parse_ssh_target(profile);
    CHECK_MESSAGE(target.vm == profile, profile);
    CHECK(target.inner.empty());
    CHECK(target.user.empty());
  }
  CHECK(parse_ssh_target("ann@./web.toml").vm == "./web.toml");
}

TEST_CASE("users that ssh would take for something else are refused") {
  for (const auto* word : {"@web", "-oProxyCommand=x@web", "a b@web", "root; rm -rf@web",
                           "$(id)@web", "a\nb@web", "root@", "`id`@web"}) {
    try {
      parse_ssh_target(word);
      FAIL_CHECK(std::string(word));
    } catch (const qlaunch::Error& error) {
      CHECK(error.code() == qlaunch::ExitCode::usage);
    }
  }
}

TEST_CASE("sides of a copy") {
  const auto there = parse_copy_place("web:/etc/hosts");
  CHECK(there.target.vm == "web");
  CHECK(there.path == "/etc/hosts");
  CHECK(!there.on_host());

  const auto home = parse_copy_place("root@web:");
  CHECK(home.target.user == "root");
  CHECK(home.target.vm == "web");
  CHECK(home.path.empty());

  // Only the first colon separates.
  CHECK(parse_copy_place("web:a:b").path == "a:b");

  for (const auto* here : {"file", "./a:b", "/tmp/a:b", "dir/a:b", "-x", ":x", "."}) {
    const auto place = parse_copy_place(here);
    CHECK_MESSAGE(place.on_host(), here);
    CHECK(place.path == here);
  }
}

TEST_CASE("one word is a line for the guest's shell, several are words") {
  CHECK(guest_command_line({}, "").empty());
  CHECK(guest_command_line({"ls | wc -l"}, "") == "ls | wc -l");
  CHECK(guest_command_line({"uname", "-r"}, "") == "uname -r");
  CHECK(guest_command_line({"echo", "a  b", "$HOME", "*", "", "it's"}, "") ==
        R"(echo 'a  b' '$HOME' '*' '' 'it'\''s')");
}

TEST_CASE("a command runs in its folder or not at all; a shell starts anyway") {
  CHECK(guest_command_line({"make"}, "/src") == "cd /src || exit 125; make");
  CHECK(guest_command_line({"ls", "a b"}, "/my src") == "cd '/my src' || exit 125; ls 'a b'");
  CHECK(guest_command_line({"pwd"}, "-x") == "cd ./-x || exit 125; pwd");
  CHECK(guest_command_line({}, "/src") == "cd /src; exec \"$SHELL\" -l");
}

TEST_CASE("where the guest has a folder of the host") {
  const std::vector<qlaunch::SharedFolder> shares = {{"/home/ann/work", "/work"},
                                                     {"/home/ann/work/deep", "/mnt/deep/"},
                                                     {"/home/ann/told", ""},
                                                     {"/nix/store", "same"}};
  CHECK(folder_in_guest(shares, "/home/ann/work") == "/work");
  CHECK(folder_in_guest(shares, "/home/ann/work/a/b") == "/work/a/b");
  // The innermost share counts.
  CHECK(folder_in_guest(shares, "/home/ann/work/deep/x") == "/mnt/deep/x");
  CHECK(folder_in_guest(shares, "/nix/store/abc") == "/nix/store/abc");
  CHECK(!folder_in_guest(shares, "/home/ann"));
  CHECK(!folder_in_guest(shares, "/home/ann/workshop"));
  CHECK(!folder_in_guest(shares, "/home/ann/told/x"));
  CHECK(folder_in_guest({{"/", "/host"}}, "/etc/ssh") == "/host/etc/ssh");
  CHECK(folder_in_guest({{"/", "/host"}}, "/") == "/host");
  CHECK(folder_in_guest({{"/data", "/"}}, "/data/x") == "/x");
}
