// SPDX-License-Identifier: MIT
#include "vm/boot_watch.hpp"

#include "host/files.hpp"
#include "vm/journal.hpp"

#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

/// Of a guest that writes much only this much at a time.
constexpr std::size_t boot_log_piece = std::size_t{256} << 10;

}  // namespace

BootWatch::BootWatch(const LiveRecord& live)
    : name_(live.name), started_(live.started), log_(live.plan.serial_log) {}

BootSeen BootWatch::look() {
  const UniqueFd file(open(log_.c_str(), O_RDONLY | O_CLOEXEC));
  std::vector<char> piece(boot_log_piece);
  for (ssize_t got = 1; file && got > 0;) {
    got = pread(file.get(), piece.data(), piece.size(), static_cast<off_t>(read_));
    if (got <= 0) break;
    read_ += static_cast<std::uint64_t>(got);
    reader_.feed({piece.data(), static_cast<std::size_t>(got)});
  }
  auto seen = reader_.seen();
  seen.agent = agent_there(name_, started_);
  return seen;
}

}  // namespace qlaunch
