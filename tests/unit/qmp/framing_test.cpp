// SPDX-License-Identifier: MIT
#include "qmp/framing.hpp"

#include <chrono>
#include <string>

#include <doctest/doctest.h>

TEST_CASE("lines come out whole, however the bytes came in") {
  qmp::LineBuffer lines(100);
  lines.feed("ab");
  CHECK_FALSE(lines.next());
  CHECK(lines.partial());
  lines.feed("c\n\nde\nf");
  CHECK(lines.next() == "abc");
  CHECK(lines.next() == "");
  CHECK(lines.next() == "de");
  CHECK_FALSE(lines.next());
  lines.feed("\n");
  CHECK(lines.next() == "f");
  CHECK_FALSE(lines.partial());
}

TEST_CASE("the cap holds for a line, not for what is buffered") {
  qmp::LineBuffer lines(4);
  lines.feed("1234\n1234\n1234\n");
  for (int i = 0; i < 3; ++i) CHECK(lines.next() == "1234");
  CHECK_FALSE(lines.next());
  CHECK_FALSE(lines.too_long());
  lines.feed("1234");
  CHECK_FALSE(lines.next());
  CHECK_FALSE(lines.too_long());

  SUBCASE("passed before the line ends") {
    lines.feed("5");
    CHECK_FALSE(lines.next());
    CHECK(lines.too_long());
  }
  SUBCASE("passed together with its end") {
    lines.feed("5\nnext\n");
    CHECK_FALSE(lines.next());
    CHECK(lines.too_long());
    CHECK_FALSE(lines.next());
  }
}

TEST_CASE("a long line in small pieces is not searched again with each piece") {
  // 64 MiB in pieces of 4 KiB: searched from the start each time it would be 500 GiB to look at.
  constexpr std::size_t size = std::size_t{64} << 20;
  const std::string piece(4096, 'x');
  qmp::LineBuffer lines(size);
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t fed = 0; fed < size; fed += piece.size()) {
    lines.feed(piece);
    REQUIRE_FALSE(lines.next());
  }
  lines.feed("\n");
  const auto line = lines.next();
  REQUIRE(line);
  CHECK(line->size() == size);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}
