// SPDX-License-Identifier: MIT
// A connected descriptor and what is watched beside it, waited for with poll().
// Does not know what the bytes mean.
#pragma once

#include "qmp/deadline.hpp"
#include "qmp/options.hpp"
#include "socket.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <poll.h>

namespace qmp {

class Channel {
 public:
  Channel(Fd fd, std::vector<Watch> watches);

  /// What happened first. Input comes before a watch: last words are read before the end is told.
  enum class Wake { input, output, watch, timeout };
  Wake wait(bool want_output, Deadline deadline);

  /// How much was taken without waiting. To a peer that is gone everything "is sent": the end
  /// shows when reading, after what the peer still had to say.
  /// Descriptors go along with the first byte.
  std::size_t send(std::string_view bytes, const std::vector<int>& fds = {});

  /// What was there, empty if nothing. At the end ended() is true; the view lives until next time.
  std::string_view receive();
  [[nodiscard]] bool ended() const { return ended_; }

  /// Why it ended, if a watch knows: the cause of the one that fired.
  [[nodiscard]] std::string cause() const;

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  Fd fd_;
  std::vector<Watch> watches_;
  std::vector<pollfd> list_;  // the connection first, then the watches
  bool ended_ = false;
  std::array<char, 65536> buffer_;
};

}  // namespace qmp
