// SPDX-License-Identifier: MIT
// Bytes in, lines out, with a cap on the length of a line; no byte is looked at twice.
// Does not know what a line means.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace qmp {

class LineBuffer {
 public:
  explicit LineBuffer(std::size_t cap) : cap_(cap) {}

  void feed(std::string_view bytes);

  /// The next complete line without its end; the view lives until the next feed() or clear().
  std::optional<std::string_view> next();

  /// The line under way, or the one after the last next(), is longer than the cap. Final, but
  /// for clear().
  [[nodiscard]] bool too_long() const { return too_long_; }
  /// There are bytes of a line whose end has not come.
  [[nodiscard]] bool partial() const { return head_ < data_.size(); }

  void clear();

 private:
  std::size_t cap_;
  std::string data_;
  std::size_t head_ = 0;  // first byte not handed out
  std::size_t scan_ = 0;  // first byte not searched for a line end
  bool too_long_ = false;
};

}  // namespace qmp
