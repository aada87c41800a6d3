// SPDX-License-Identifier: MIT
// Every exception as an Error with a message and an exit code. Prints nothing.
#pragma once

#include "core/error.hpp"

#include <exception>

namespace qlaunch {

Error as_error(const std::exception_ptr& failure);

}  // namespace qlaunch
