// SPDX-License-Identifier: MIT
// What a download needs to know of HTTP: header lines, whether a broken one can go on, how long to
// wait before the next try. Opens no connection.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// What is kept beside a part of a download, so that the rest can be fetched later.
struct PartState {
  std::string url;                     // as asked for, without user and password
  std::string etag;                    // strong ones alone
  std::string modified;                // Last-Modified
  std::optional<std::uint64_t> total;  // bytes
  bool complete = false;

  bool operator==(const PartState&) const = default;
};

/// Nothing for what is no such text, as after a crash in mid-write.
std::optional<PartState> parse_part_state(std::string_view json);
std::string to_json(const PartState& state);

/// The header lines of one response after the other; those of the last count.
class ResponseHeaders {
 public:
  /// One line as it came, with or without its end.
  void line(std::string_view text);

  int status() const { return status_; }
  const std::string& etag() const { return etag_; }
  const std::string& modified() const { return modified_; }
  const std::string& content_type() const { return content_type_; }
  std::optional<std::uint64_t> content_length() const { return length_; }

  struct ContentRange {
    std::optional<std::uint64_t> first;  // nothing: "*", no such range
    std::optional<std::uint64_t> total;
  };
  const std::optional<ContentRange>& content_range() const { return range_; }

  /// Where each response has led to.
  const std::vector<std::string>& locations() const { return locations_; }
  /// Whether they come round to the same place.
  bool loops() const;

 private:
  int status_ = 0;
  std::string etag_, modified_, content_type_;
  std::optional<std::uint64_t> length_;
  std::optional<ContentRange> range_;
  std::vector<std::string> locations_;
};

/// What to ask for when `have` bytes are there.
struct ResumeRequest {
  bool range = false;
  std::string if_range;  // the value of that header; empty: none
};

/// `verified`: a digest will show whether the two parts belong together, where no server says so.
ResumeRequest resume_request(const PartState& state, std::uint64_t have, bool verified);

enum class Answer {
  whole,     // the file from its start
  rest,      // what was asked for
  complete,  // nothing is missing
  anew,      // no use: ask for all of it
};

/// What to do with the answer to a request for what is behind `have`.
Answer judge_answer(const ResponseHeaders& headers, const PartState& state, std::uint64_t have);

/// Tries that follow one another without a byte more than before.
constexpr int most_tries = 5;
/// Before the try with this number; the first is 1. 500 ms, 1 s, 2 s, 4 s.
std::chrono::milliseconds back_off(int attempt);

/// Whether the same request may succeed a moment later.
bool worth_retrying(int status);

/// The URL without what stands before an `@` in its host.
std::string without_credentials(const std::string& url);

}  // namespace qlaunch
