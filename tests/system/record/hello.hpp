// SPDX-License-Identifier: MIT
// Profiles of the built-in guest, but for their names.
#pragma once

#include <string>

namespace test {

inline const std::string hello =
    "[[disk]]\nimage = \"builtin:hello\"\n[[network]]\nmode = \"none\"\n"
    "[ready]\nwhen = \"serial:hello from qlaunch\"\n";

/// With a network, and so with an ssh port.
inline const std::string networked_hello =
    "[[disk]]\nimage = \"builtin:hello\"\n[ready]\nwhen = \"serial:hello from qlaunch\"\n";

}  // namespace test
