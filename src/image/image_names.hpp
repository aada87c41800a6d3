// SPDX-License-Identifier: MIT
// What the files of downloaded images are called, and the record beside each. Looks at no disk.
//
//   sha512-HEX.qcow2       an image, named by the digest of what was downloaded and by its format
//   sha512-HEX.qcow2.json  its record
//   url-HASH.part          a download that is not finished, or not accepted yet
//   url-HASH.json          what is needed to go on with it
//   url-HASH.new           what is being unpacked, where the file system has no nameless files
#pragma once

#include "profile/profile.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

/// What is written down of an image when it is kept.
struct ImageRecord {
  std::string url;                           // without user and password
  std::string digest;                        // of the stored file, by the algorithm in its name
  std::uint64_t downloaded = 0, stored = 0;  // bytes
  std::string time;                          // UTC
  std::string how;                           // "as downloaded", "xz, unpacked"
  bool verified = false;                     // the user named the digest; else --insecure-no-digest
  /// Of the file when its digest was taken, in nanoseconds: while that stays, the bytes are taken
  /// to be the same. 0: not to be trusted.
  std::int64_t changed = 0;

  bool operator==(const ImageRecord&) const = default;
};

std::string to_json(const ImageRecord& record);
/// Nothing for what is no record.
std::optional<ImageRecord> parse_image_record(std::string_view json);

struct ImageName {
  std::string algorithm, digest;
  DiskFormat format = DiskFormat::qcow2;

  bool operator==(const ImageName&) const = default;
};

std::string images_folder(const std::string& cache);
std::string file_name(const ImageName& name);
/// Nothing where it is no image's.
std::optional<ImageName> parse_image_name(std::string_view file);

/// "url-HASH" for all that belongs to the download from there.
std::string download_stem(const std::string& url);
constexpr std::string_view download_prefix = "url-";
constexpr std::string_view part_ending = ".part";
constexpr std::string_view record_ending = ".json";
constexpr std::string_view fresh_ending = ".new";

/// "sha512:636c9c24d7ae": enough to tell images apart.
std::string short_digest(const ImageName& name);

/// "https://…" as it is; a path as file:///absolute/path.
std::string url_of(const std::string& word, const std::string& folder);

/// "debian.qcow2" of "https://example.org/debian.qcow2?x=1".
std::string file_in_url(const std::string& url);

/// What goes into a profile: an [[image]] with this URL and digest.
std::string profile_lines(const std::string& url, const ImageName& name);

}  // namespace qlaunch
