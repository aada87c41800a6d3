// SPDX-License-Identifier: MIT
// A file that grows while a VM runs, read to its end and then on. Knows nothing of what is in it.
#pragma once

#include "vm/live.hpp"

#include <functional>
#include <optional>
#include <string>

namespace qlaunch {

/// What was added to a file since the last look, also where it was cut or replaced by a new one.
class GrowingFile {
 public:
  /// Throws where it cannot be opened.
  explicit GrowingFile(std::string path);

  /// Some of what is new; empty: nothing more for now.
  std::string read_more();

 private:
  /// A new start of the VM begins some logs anew, and a journal that is full gives way to another.
  bool start_over();

  std::string path_;
  UniqueFd file_;
};

/// Calls `look` at once, and again whenever the file may have changed, until the run `live` has
/// ended and its keeper has written down how; a last time then. Returns early where nobody reads
/// standard output any more.
void follow_file(const std::string& path, const LiveRecord& live,
                 const std::function<void()>& look);

}  // namespace qlaunch
