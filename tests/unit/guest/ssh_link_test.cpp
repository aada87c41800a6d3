// SPDX-License-Identifier: MIT
#include "guest/ssh_link.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>

#include <doctest/doctest.h>

using qlaunch::ssh_argv;
using qlaunch::SshLink;
using qlaunch::SshSession;

namespace {

SshLink example() {
  SshLink link;
  link.alias = "qlaunch-web";
  link.host = "127.0.0.1";
  link.port = 2223;
  link.known_hosts = "/data/web/ssh/known_hosts";
  return link;
}

}  // namespace

TEST_CASE("a session's whole command line") {
  auto link = example();
  link.user = "nixos";
  link.host_key_known = true;
  link.keys = {"/data/web/ssh/keys/id_ed25519", "/home/ann b/.ssh/id_rsa"};
  link.only_these_keys = true;
  link.forward_agent = true;
  link.control = "/run/user/1000/qlaunch/web/ssh-01234567";
  SshSession session;
  session.command = "uname -r";
  const std::vector<std::string> expected = {
      "/usr/bin/ssh",
      "-F",
      "none",
      "-o",
      "HostName=127.0.0.1",
      "-o",
      "Port=2223",
      "-o",
      "User=\"nixos\"",
      "-o",
      "HostKeyAlias=qlaunch-guest",
      "-o",
      "UserKnownHostsFile=\"/data/web/ssh/known_hosts\"",
      "-o",
      "StrictHostKeyChecking=yes",
      "-o",
      "HashKnownHosts=no",
      "-o",
      "UpdateHostKeys=no",
      "-o",
      "IdentityFile=\"/data/web/ssh/keys/id_ed25519\"",
      "-o",
      "IdentityFile=\"/home/ann b/.ssh/id_rsa\"",
      "-o",
      "IdentitiesOnly=yes",
      "-o",
      "ForwardAgent=yes",
      "-o",
      "ControlPath=\"/run/user/1000/qlaunch/web/ssh-01234567\"",
      "--",
      "qlaunch-web",
      "uname -r"};
  CHECK(ssh_argv("/usr/bin/ssh", link, session) == expected);
}

TEST_CASE("a session of its own, with what a user adds") {
  SshSession session;
  session.terminal = qlaunch::WantTerminal::forced;
  session.no_command = true;
  session.local_forwards = {"5432:localhost:5432", "8080:localhost:80"};
  session.remote_forwards = {"9000:localhost:9000"};
  session.dynamic_forwards = {"1080"};
  session.options = {"Compression=yes"};
  const auto argv = ssh_argv("ssh", example(), session);
  // ssh goes by the first value it finds.
  CHECK(argv.at(1) == "-o");
  CHECK(argv.at(2) == "Compression=yes");
  const auto text = qlaunch::join(argv, " ");
  CHECK(
      text.ends_with(" -o StrictHostKeyChecking=accept-new -o HashKnownHosts=no "
                     "-o UpdateHostKeys=no -S none -tt -N -L 5432:localhost:5432 "
                     "-L 8080:localhost:80 -R 9000:localhost:9000 -D 1080 -- qlaunch-web"));
  CHECK(text.find("User=") == std::string::npos);
  CHECK(text.find("IdentityFile") == std::string::npos);
}

TEST_CASE("no host key is ever taken unseen") {
  for (const bool known : {false, true}) {
    auto link = example();
    link.host_key_known = known;
    for (const auto& [name, value] : qlaunch::ssh_settings(link)) {
      if (name == "StrictHostKeyChecking") CHECK(value == (known ? "yes" : "accept-new"));
      if (name == "UserKnownHostsFile") CHECK(value == "\"/data/web/ssh/known_hosts\"");
    }
  }
}

TEST_CASE("paths as ssh_config reads them back") {
  CHECK(qlaunch::ssh_path("/a b/c") == "\"/a b/c\"");
  CHECK(qlaunch::ssh_path("/100%/x") == "\"/100%%/x\"");
  CHECK(qlaunch::ssh_path("/a\"b\\c") == R"("/a\"b\\c")");
  CHECK_THROWS_AS(qlaunch::ssh_path("/a${HOME}"), qlaunch::Error);
  CHECK_THROWS_AS(qlaunch::ssh_path("/a\nHost *"), qlaunch::Error);
}

TEST_CASE("the shared connection asks nobody and ends by itself") {
  auto link = example();
  link.control = "/run/ssh-1";
  const auto argv = qlaunch::ssh_master_argv("ssh", link, 15);
  const auto has = [&](const std::string& word) {
    return std::find(argv.begin(), argv.end(), word) != argv.end();
  };
  for (const auto* word : {"ControlMaster=yes", "ControlPersist=300", "BatchMode=yes",
                           "ConnectTimeout=15", "ControlPath=\"/run/ssh-1\"", "-N", "-f"})
    CHECK_MESSAGE(has(word), word);
  CHECK(argv.back() == "qlaunch-web");
}

TEST_CASE("a block for ssh_config") {
  auto link = example();
  link.user = "nixos";
  link.connector = {"/opt/my tools/qlaunch", "ssh", "--connect", "100%"};
  CHECK(qlaunch::ssh_host_block(link) ==
        "Host qlaunch-web\n"
        "    ProxyCommand '/opt/my tools/qlaunch' ssh --connect 100%%\n"
        "    ProxyUseFdpass yes\n"
        "    User \"nixos\"\n"
        "    HostKeyAlias qlaunch-guest\n"
        "    UserKnownHostsFile \"/data/web/ssh/known_hosts\"\n"
        "    StrictHostKeyChecking accept-new\n"
        "    HashKnownHosts no\n"
        "    UpdateHostKeys no\n");
}
