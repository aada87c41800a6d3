// SPDX-License-Identifier: MIT
#include "guest/ssh_answers.hpp"

#include <doctest/doctest.h>

using qlaunch::read_ssh_failure;
using qlaunch::SshObstacle;

TEST_CASE("what kept ssh from getting in") {
  const auto changed = read_ssh_failure(
      "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@\r\n"
      "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n"
      "Offending ED25519 key in /data/web/ssh/known_hosts:1\r\n"
      "Host key for qlaunch-guest has changed and you have requested strict checking.\r\n"
      "Host key verification failed.\r\n");
  CHECK(changed.obstacle == SshObstacle::host_key);

  // A key of a kind that is not known, while another kind is.
  CHECK(read_ssh_failure("No RSA host key is known for qlaunch-guest and you have requested strict "
                         "checking.\nHost key verification failed.\n")
            .obstacle == SshObstacle::host_key);

  const auto denied = read_ssh_failure(
      "Warning: Permanently added 'qlaunch-guest' (ED25519) to the list of known hosts.\r\n"
      "root@127.0.0.1: Permission denied (publickey,password).\r\n");
  CHECK(denied.obstacle == SshObstacle::login);
  CHECK(denied.said == "root@127.0.0.1: Permission denied (publickey,password).");

  CHECK(read_ssh_failure("Received disconnect from 127.0.0.1 port 22:2: Too many authentication "
                         "failures\nDisconnected from 127.0.0.1 port 22\n")
            .obstacle == SshObstacle::login);

  for (const auto* text : {"ssh: connect to host 127.0.0.1 port 2223: Connection refused\n",
                           "kex_exchange_identification: Connection closed by remote host\n", ""})
    CHECK(read_ssh_failure(text).obstacle == SshObstacle::no_server);

  // Among much else.
  const auto wordy = read_ssh_failure(
      "OpenSSH_9.2p1 Debian-2, OpenSSL 3.0.19\ndebug1: Connecting to 127.0.0.1 port 22.\n"
      "root@127.0.0.1: Permission denied (publickey).\r\ndebug1: done\n");
  CHECK(wordy.obstacle == SshObstacle::login);
  CHECK(wordy.said == "root@127.0.0.1: Permission denied (publickey).");
  CHECK(qlaunch::shares_badly(
      "debug1: Remote protocol version 2.0, remote software version dropbear_2022.83\n"));
  CHECK(!qlaunch::shares_badly(
      "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1\n"));

  // What a server says is shown on a terminal.
  CHECK(read_ssh_failure("bad\x1b[2Jword\n").said.find('\x1b') == std::string::npos);
}

TEST_CASE("a host key that was given is known before it is shown") {
  const auto given = qlaunch::given_known_hosts("ssh-ed25519 AAAAkey qlaunch");
  CHECK(given.starts_with("qlaunch-guest ssh-ed25519 AAAAkey "));
  CHECK(given.ends_with("\n"));
  CHECK(qlaunch::only_given(given));
  const auto shown = qlaunch::once_shown(given);
  CHECK(shown == "qlaunch-guest ssh-ed25519 AAAAkey\n");
  CHECK(!qlaunch::only_given(shown));
  CHECK(qlaunch::once_shown(shown) == shown);
  CHECK(!qlaunch::only_given(""));
  CHECK(qlaunch::knows_key(shown, "ssh-ed25519 AAAAkey qlaunch"));
  CHECK(!qlaunch::knows_key(shown, "ssh-ed25519 AAAAother qlaunch"));
}
