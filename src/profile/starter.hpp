// SPDX-License-Identifier: MIT
// The commented profile that `qlaunch init` begins with, made from the table of keys.
// Does not write files and asks nothing.
#pragma once

#include <string>

namespace qlaunch {

/// The text of NAME.toml: loads without a finding, every key in it with what it is for.
std::string starter_profile(const std::string& name);

}  // namespace qlaunch
