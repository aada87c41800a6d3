// SPDX-License-Identifier: MIT
// `qlaunch schema` and `qlaunch reference`: the profile language, for editors and for readers.
// Both are made from profile's table of keys.
#pragma once

#include "cli/command.hpp"

namespace qlaunch {

int schema(const NoOptions& options, Terminal& terminal);
int reference(const NoOptions& options, Terminal& terminal);

}  // namespace qlaunch
