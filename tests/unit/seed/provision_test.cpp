// SPDX-License-Identifier: MIT
#include "guest/provision.hpp"

#include <doctest/doctest.h>

using qlaunch::parse_provision;
using State = qlaunch::Provision::State;

TEST_CASE("a guest that says nothing, and one that is at it") {
  CHECK(parse_provision("").state == State::silent);
  CHECK(parse_provision("[    1.0] qlaunch is no word of the kernel's\n").state == State::silent);
  const auto found =
      parse_provision("qlaunch: begin i-1\nqlaunch: running script 1 (make)\n| all\n");
  CHECK(found.state == State::under_way);
  CHECK(found.running == "script 1 (make)");
}

TEST_CASE("done, and a boot that begins anew") {
  const std::string first = "qlaunch: begin i\nqlaunch: running a\n| x\nqlaunch: done\n";
  CHECK(parse_provision(first).state == State::done);
  CHECK(parse_provision(first + "qlaunch: begin i\n").state == State::under_way);
}

TEST_CASE("what failed, with what it said last and nothing of what came before") {
  const auto found = parse_provision(
      "qlaunch: begin i\nqlaunch: running a\n| of a\nqlaunch: running script 2 (b)\n| one\n"
      "|\n| qlaunch: done\nqlaunch: failed script 2 (b): exit code 3\nqlaunch: done\n| more\n");
  CHECK(found.state == State::failed);
  CHECK(found.failure == "script 2 (b): exit code 3");
  CHECK(found.output == std::vector<std::string>{"one", "", "qlaunch: done"});
}

TEST_CASE("between the lines of a console, with their returns") {
  const auto found = parse_provision(
      "[  OK  ] Reached target\r\nqlaunch: begin i\r\n[   12.0] kernel\r\nqlaunch: failed x: "
      "no\r\n");
  CHECK(found.state == State::failed);
  CHECK(found.failure == "x: no");
}

TEST_CASE("of much output the end is kept") {
  std::string log = "qlaunch: begin i\nqlaunch: running a\n";
  for (int line = 1; line <= 100; ++line) log += "| " + std::to_string(line) + '\n';
  const auto found = parse_provision(log + "qlaunch: failed a: exit code 1\n");
  CHECK(found.output.size() == 20);
  CHECK(found.output.back() == "100");
}

TEST_CASE("a log in pieces says the same as the whole of it") {
  const std::string log =
      "[ 1.0] kernel\r\nqlaunch: begin i\nqlaunch: running a\n| x\n| qlaunch: done\n"
      "qlaunch: failed a: exit code 3\n";
  for (std::size_t size = 1; size < log.size(); ++size) {
    qlaunch::ProvisionReader reader;
    for (std::size_t at = 0; at < log.size(); at += size) {
      CHECK(reader.seen().state != State::failed);
      reader.feed(std::string_view(log).substr(at, size));
    }
    CHECK(reader.seen().state == State::failed);
    CHECK(reader.seen().failure == "a: exit code 3");
    CHECK(reader.seen().output == std::vector<std::string>{"x", "qlaunch: done"});
  }
}

TEST_CASE("a line without end hides nothing that comes after it") {
  qlaunch::ProvisionReader reader;
  for (int piece = 0; piece < 100; ++piece) reader.feed(std::string(5000, 'x'));
  reader.feed("qlaunch: begin i\nqlaunch: begin i\n");
  CHECK(reader.seen().state == State::under_way);
}
