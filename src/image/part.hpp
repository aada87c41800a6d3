// SPDX-License-Identifier: MIT
// The file that a download goes to, held by one command at a time, and what is known of it.
// Downloads nothing.
#pragma once

#include "host/files.hpp"
#include "image/http_parts.hpp"

#include <optional>
#include <string>

namespace qlaunch {

/// Held until it goes; how its holder ends does not matter.
class Part {
 public:
  /// `stem`: its path without the ending. Nothing where another command has it.
  static std::optional<Part> take(const std::string& stem);

  int fd() const { return file_.get(); }
  int state_fd() const { return state_.get(); }
  std::string path() const;
  std::uint64_t size() const;
  PartState state() const;

  /// Nothing of the download is left.
  void remove();
  /// The part goes to this path, which may be there. What was kept beside it goes.
  void become(const std::string& path);
  /// Nothing is left of one that never had a byte.
  void remove_if_empty();

 private:
  Part(std::string stem, UniqueFd file, UniqueFd state)
      : stem_(std::move(stem)), file_(std::move(file)), state_(std::move(state)) {}

  std::string stem_;
  UniqueFd file_, state_;
};

/// How far a download is that another command may be at: bytes, and of how many.
struct PartProgress {
  std::uint64_t have = 0;
  PartState state;
};
PartProgress look_at_part(const std::string& stem);

}  // namespace qlaunch
