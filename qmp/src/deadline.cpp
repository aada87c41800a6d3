// SPDX-License-Identifier: MIT
#include "qmp/deadline.hpp"

#include <limits>

namespace qmp {

int Deadline::poll_timeout() const {
  if (is_never()) return -1;
  const auto left = at_ - Clock::now();
  if (left <= Clock::duration::zero()) return 0;
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  constexpr auto most = std::numeric_limits<int>::max();
  return millis > most ? most : static_cast<int>(millis);
}

}  // namespace qmp
