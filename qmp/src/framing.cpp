// SPDX-License-Identifier: MIT
#include "qmp/framing.hpp"

namespace qmp {
namespace {

// A long message is rare: what it took is given back, an ordinary message's room is kept.
constexpr std::size_t kept_room = std::size_t{1} << 20;

}  // namespace

void LineBuffer::feed(std::string_view bytes) {
  // Moving the rest down costs something only when it is the smaller part.
  if (head_ == data_.size()) {
    if (data_.capacity() > kept_room) data_ = std::string();
    data_.clear();
    scan_ = head_ = 0;
  } else if (head_ > data_.size() / 2) {
    data_.erase(0, head_);
    scan_ -= head_;
    head_ = 0;
  }
  data_.append(bytes);
}

std::optional<std::string_view> LineBuffer::next() {
  if (too_long_) return std::nullopt;
  const auto end = data_.find('\n', scan_);
  if (end == std::string::npos) {
    scan_ = data_.size();
    too_long_ = scan_ - head_ > cap_;
    return std::nullopt;
  }
  const std::string_view line(data_.data() + head_, end - head_);
  if (line.size() > cap_) {
    too_long_ = true;
    return std::nullopt;
  }
  head_ = scan_ = end + 1;
  return line;
}

void LineBuffer::clear() {
  data_.clear();
  head_ = scan_ = 0;
  too_long_ = false;
}

}  // namespace qmp
