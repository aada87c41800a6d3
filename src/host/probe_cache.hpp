// SPDX-License-Identifier: MIT
// Answers of programs, kept as JSON by what the program's file was when it was asked. Never fails:
// what cannot be read is asked again, what cannot be written is asked the next time.
#pragma once

#include "host/paths.hpp"

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace qlaunch {

/// A file as it is now; another content has another stamp. Missing: all zero.
struct FileStamp {
  std::string path;  // without symlinks
  long long size = 0;
  long long changed = 0;  // nanoseconds

  bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::string& path);

class ProbeCache {
 public:
  /// `kind` ("qemu", "kvm") and the file named in `stamp` make the name of the entry.
  ProbeCache(const StateRoots& roots, const std::string& kind, FileStamp stamp);

  /// What was stored for a file with this stamp. Null where there is nothing of use.
  nlohmann::json load() const;
  void store(const nlohmann::json& value) const;

 private:
  std::string folder_, file_;
  FileStamp stamp_;
};

}  // namespace qlaunch
