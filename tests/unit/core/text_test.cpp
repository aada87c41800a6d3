// SPDX-License-Identifier: MIT
#include "core/text.hpp"

#include "core/quote.hpp"
#include "core/suggest.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;

TEST_CASE("invalid UTF-8 is found at its first byte") {
  CHECK_FALSE(first_invalid_utf8("plain, \xc3\xa9, \xe6\x97\xa5, \xf0\x9f\x9a\x80").has_value());
  CHECK(first_invalid_utf8("ab\xff") == 2);
  CHECK(first_invalid_utf8("ab\xc3") == 2);            // cut off
  CHECK(first_invalid_utf8("\xc0\x80") == 0);          // overlong NUL
  CHECK(first_invalid_utf8("\xed\xa0\x80") == 0);      // surrogate
  CHECK(first_invalid_utf8("\xf4\x90\x80\x80") == 0);  // beyond U+10FFFF
  CHECK(first_invalid_utf8("\xe0\x80\x80") == 0);      // overlong
}

TEST_CASE("UTF-8 survives decoding and encoding, broken bytes become replacement characters") {
  const std::string text = "a\xc3\xa9\xe6\x97\xa5\xf0\x9f\x9a\x80";
  CHECK(encode_utf8(decode_utf8_lossy(text)) == text);
  CHECK(decode_utf8_lossy("a\xff\xfe"
                          "b") == U"a\ufffd\ufffdb");
}

TEST_CASE("no text can drive a terminal") {
  CHECK(printable("a\x1b[2Jb") == "a\\x1b[2Jb");
  CHECK(printable("\r\x07\x7f") == "\\x0d\\x07\\x7f");
  CHECK(printable("\xc2\x9b"
                  "31m") == "\\x9b31m");  // the one-byte escape of C1
  CHECK(printable("line\nline\ttab") == "line\\nline\\ttab");
  CHECK(printable_lines("line\nline") == "line\nline");
  CHECK(printable("\xff") == "\\xff");
}

TEST_CASE("width counts columns, not bytes") {
  CHECK(display_width("caf\xc3\xa9") == 4);
  CHECK(display_width("\xe6\x97\xa5\xe6\x9c\xac") == 4);
  CHECK(display_width("e\xcc\x81") == 1);  // e and a combining accent
}

TEST_CASE("folding breaks at spaces and keeps words that are too long whole") {
  CHECK(fold("one two three four five", 20, "  ") == "one two three four\n  five");
  CHECK(fold("https://a.very.long/address/that/does/not/fit x", 20, "") ==
        "https://a.very.long/address/that/does/not/fit\nx");
  CHECK(fold("a\nb", 20, "> ") == "a\n> b");
}

TEST_CASE("numbers are whole or nothing") {
  CHECK(parse_unsigned("42") == 42);
  CHECK_FALSE(parse_unsigned("").has_value());
  CHECK_FALSE(parse_unsigned("-1").has_value());
  CHECK_FALSE(parse_unsigned("4 ").has_value());
  CHECK_FALSE(parse_unsigned("99999999999999999999").has_value());
}

TEST_CASE("shell words come out as they went in") {
  CHECK(shell_quote("plain-1.2/x") == "plain-1.2/x");
  CHECK(shell_quote("") == "''");
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(shell_quote("a b") == "'a b'");
  CHECK(shell_quote("$HOME`x`") == "'$HOME`x`'");
  CHECK(shell_quote("=x") == "'=x'");
  CHECK(shell_quote("~") == "'~'");
  CHECK(shell_quote(std::vector<std::string>{"a", "b c"}) == "a 'b c'");
}

TEST_CASE("commas are doubled for QEMU, strings are quoted for TOML") {
  CHECK(escape_commas("a,b,,c") == "a,,b,,,,c");
  CHECK(toml_quote("a\"b\\c\nd\x01") == "\"a\\\"b\\\\c\\nd\\u0001\"");
  CHECK(enumerate({"a"}) == "a");
  CHECK(enumerate({"a", "b", "c"}, "or") == "a, b or c");
}

TEST_CASE("a slip finds its word, another word does not") {
  const std::vector<std::string> keys{"memory", "model", "mount", "count", "queue_size"};
  CHECK(nearest("memroy", keys) == "memory");
  CHECK(nearest("Memory", keys) == "memory");
  CHECK(nearest("queue-size", keys) == "queue_size");
  CHECK_FALSE(nearest("banana", keys).has_value());
  CHECK_FALSE(nearest("x", keys).has_value());
  CHECK_FALSE(nearest(std::string(100000, 'm'), keys).has_value());
  CHECK(edit_distance("ab", "ba") == 1);
  CHECK(edit_distance("", "abc") == 3);
}

TEST_CASE("numbers in base 8 and 16 are filled with zeros, never cut") {
  CHECK(octal(7, 3) == "007");
  CHECK(octal(0755, 4) == "0755");
  CHECK(hexadecimal(0, 2) == "00");
  CHECK(hexadecimal(0xabc, 2) == "abc");
  CHECK(hexadecimal(~0ULL, 16) == "ffffffffffffffff");
}

TEST_CASE("below a folder, by names") {
  CHECK(lies_below("/a/b", "/a"));
  CHECK(lies_below("/a/b/c", "/a"));
  CHECK_FALSE(lies_below("/a", "/a"));
  CHECK_FALSE(lies_below("/ab", "/a"));
  CHECK_FALSE(lies_below("/b", "/a"));
  CHECK_FALSE(lies_below("/a", ""));
  CHECK(is_hexadecimal('f'));
  CHECK(is_hexadecimal('A'));
  CHECK_FALSE(is_hexadecimal('g'));
}
