// SPDX-License-Identifier: MIT
// What the tests of the blocking client share.
#pragma once

#include "qmp/options.hpp"

#include <chrono>
#include <functional>
#include <stdexcept>

namespace test {

inline qmp::Options hasty() {
  qmp::Options options;
  options.greeting = std::chrono::milliseconds(50);
  return options;
}

/// What `action` throws.
template <class Failure>
Failure thrown_by(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& failure) {
    return failure;
  }
  throw std::logic_error("nothing was thrown");
}

}  // namespace test
