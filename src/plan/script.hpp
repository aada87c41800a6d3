// SPDX-License-Identifier: MIT
// A plan as a POSIX shell script that runs by itself when pasted: scratch folder, preparations,
// helpers, QEMU. Executes nothing, and knows no image of its own.
#pragma once

#include "plan/plan.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace qlaunch {

/// Stands for the script's scratch folder. A plan for a script is made with this as
/// `PlanInput::paths.runtime` and with SocketStyle::path; the script says "$dir" in its place.
inline constexpr char script_folder[] = "\x01scratch\x01";

struct ScriptOptions {
  std::string qemu_img = "qemu-img";
  /// The image of the built-in profile, for plans that write it: its first bytes and whole size.
  std::span<const std::uint8_t> hello_boot_code;
  std::size_t hello_size = 0;
  std::string seed_program = "qlaunch-seed";
};

std::string plan_script(const Plan& plan, const ScriptOptions& options);

}  // namespace qlaunch
