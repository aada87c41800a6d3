// SPDX-License-Identifier: MIT
// A NixOS system's boot.json: the kernel, initrd and command line of that system.
// Reads no file; builds nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace qlaunch::planner {

struct Bootspec {
  std::string kernel, initrd, cmdline;
  std::string secrets = {};  // a program that would add files to the initrd; empty: none
};

/// Nothing where the text is no bootspec of version 1.
std::optional<Bootspec> parse_bootspec(std::string_view text);

}  // namespace qlaunch::planner
