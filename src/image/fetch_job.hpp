// SPDX-License-Identifier: MIT
// What qlaunch and its helper `qlaunch-fetch` say to each other: one job as a line of JSON, then
// lines that tell how it goes. Starts nothing.
//
// The helper reads the job from descriptor 0 and writes events to descriptor 1. It works on
// descriptors alone: 3 is the downloaded file, 4 what is kept beside it (download) or what comes
// out of it (unpack).
#pragma once

#include "image/http_parts.hpp"
#include "image/sniff.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

struct FetchJob {
  enum class Kind { download, unpack, digest };
  Kind kind = Kind::digest;
  std::string algorithm = "sha512";  // or "sha256": of what was downloaded, came out, or is there
  std::uint64_t limit = 0;           // bytes of the result

  // download
  std::string url;
  bool verified = false;                      // the digest is known beforehand
  PartState part;                             // of what descriptor 3 holds already
  std::chrono::milliseconds patience{30000};  // without a byte

  // unpack
  Packing packing = Packing::none;
};

struct FetchEvent {
  enum class Kind { progress, retry, done, failed };
  Kind kind = Kind::failed;
  std::uint64_t have = 0;              // bytes
  std::optional<std::uint64_t> total;  // where it is known
  std::string digest;                  // done
  std::string text;                    // retry, failed: why; "the server answers 404"
  std::string help;                    // failed: what to do; may be empty
  bool refused = false;                // failed: what is there is of no use either
  std::chrono::milliseconds wait{0};   // retry: so long, then again
};

std::string to_line(const FetchJob& job);
std::string to_line(const FetchEvent& event);
/// Nothing for a line that is none.
std::optional<FetchJob> parse_job(std::string_view line);
std::optional<FetchEvent> parse_event(std::string_view line);

}  // namespace qlaunch
