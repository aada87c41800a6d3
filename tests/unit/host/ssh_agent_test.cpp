// SPDX-License-Identifier: MIT
#include "host/ssh_agent.hpp"

#include "host/socket.hpp"
#include "scratch.hpp"

#include <array>
#include <chrono>
#include <thread>

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <unistd.h>

using qlaunch::agent_keys;
using qlaunch::parse_agent_answer;

namespace {

std::string counted(const std::string& text) {
  const auto size = static_cast<unsigned>(text.size());
  std::string out;
  for (unsigned shift = 32; shift > 0; shift -= 8)
    out += static_cast<char>((size >> (shift - 8)) & 0xffU);
  return out + text;
}

/// A key as an agent tells it: its blob begins with its kind.
std::string key(const std::string& kind, const std::string& comment) {
  return counted(counted(kind) + counted("x")) + counted(comment);
}

std::string answer(const std::vector<std::string>& keys) {
  std::string out("\x0c\0\0\0", 4);
  out += static_cast<char>(keys.size());
  for (const auto& each : keys) out += each;
  return out;
}

const std::string two =
    answer({key("ssh-ed25519", "me@host"), key("ssh-ed25519-cert-v01@openssh.com", "signed"),
            key("ssh-rsa", " two words ")});
// counted("ssh-ed25519") + counted("x") and the same of ssh-rsa, in base64.
const std::vector<std::string> lines{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAAXg= me@host",
                                     "ssh-rsa AAAAB3NzaC1yc2EAAAABeA== two words"};

}  // namespace

TEST_CASE("an agent's keys as lines, without certificates, each on one line") {
  CHECK(parse_agent_answer(two) == lines);
  CHECK(parse_agent_answer(answer({})).empty());
  const auto odd = parse_agent_answer(answer({key("ssh-rsa", "a\nssh-rsa AAAA evil")}));
  REQUIRE(odd.size() == 1);
  CHECK(odd[0].find('\n') == std::string::npos);
}

TEST_CASE("what is no answer of an agent gives no keys, and no read beyond its end") {
  CHECK(parse_agent_answer("").empty());
  CHECK(parse_agent_answer("\x05").empty());
  CHECK(parse_agent_answer(std::string("\x0c\xff\xff\xff\xff\xff\xff\xff\xff", 9)).empty());
  for (std::size_t size = 0; size < two.size(); ++size)
    CHECK(parse_agent_answer(std::string_view(two).substr(0, size)).size() < lines.size());
}

TEST_CASE("an agent behind a socket is asked, also one that speaks slowly") {
  const test::Folder scratch;
  const auto path = scratch / "agent";
  const auto listening = qlaunch::listen_unix(path);
  std::thread agent([&] {
    const qlaunch::UniqueFd link(accept(listening.get(), nullptr, nullptr));
    std::array<char, 5> request{};
    if (recv(link.get(), request.data(), request.size(), MSG_WAITALL) != 5) return;
    if (request != std::array<char, 5>{0, 0, 0, 1, 11}) return;
    for (const char byte : counted(two)) {
      if (send(link.get(), &byte, 1, MSG_NOSIGNAL) != 1) return;
    }
  });
  CHECK(agent_keys(path, std::chrono::seconds(30)) == lines);
  agent.join();
}

TEST_CASE("an agent that is silent, or none, holds nobody up") {
  const test::Folder scratch;
  const auto path = scratch / "agent";
  CHECK(agent_keys(path, std::chrono::seconds(30)).empty());
  CHECK(agent_keys("", std::chrono::seconds(30)).empty());
  CHECK(agent_keys(std::string(200, 'x'), std::chrono::seconds(30)).empty());
  const auto listening = qlaunch::listen_unix(path);
  CHECK(agent_keys(path, std::chrono::milliseconds(50)).empty());
}
