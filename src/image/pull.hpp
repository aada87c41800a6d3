// SPDX-License-Identifier: MIT
// Brings an image into the folder of images: downloaded, compared with its digest, unpacked and
// converted. What cannot be trusted or used is refused, and nothing of it stays.
#pragma once

#include "core/units.hpp"
#include "image/image_store.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace qlaunch {

struct PullWant {
  std::string name;                              // what messages call it; empty: its URL
  std::string url;                               // http, https or file
  std::string algorithm, digest;                 // "sha512" or "sha256"; empty: not known
  DiskFormat format = DiskFormat::qcow2;         // what it is kept as
  bool insecure = false;                         // --insecure-no-digest: without a digest, too
  std::uint64_t limit = 0;                       // bytes, downloaded or unpacked; 0: usual_limit
  Duration patience = std::chrono::seconds(30);  // without a byte
};

constexpr std::uint64_t usual_limit = 256 * gib;

struct PullProgress {
  enum class What { waits, downloads, checks, unpacks, converts };
  What what = What::downloads;
  std::string name;
  std::uint64_t have = 0;              // bytes; of a conversion hundredths of a percent
  std::optional<std::uint64_t> total;  // where it is known
};

struct PullHooks {
  std::function<void(const std::string&)> step = [](const auto&) {};
  std::function<void(const PullProgress&)> progress = [](const auto&) {};
  std::function<bool()> interrupted = [] { return false; };
};

struct Pulled {
  ImageName name;
  std::string path;
  bool was_there = false;
  /// False: nobody has said what its digest has to be. It is downloaded, and no image yet.
  bool kept = true;
};

Pulled pull_image(const std::string& cache, const PullWant& want, const PullHooks& hooks);

}  // namespace qlaunch
