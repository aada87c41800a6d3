// SPDX-License-Identifier: MIT
// A new keeper for a run whose keeper has ended, and an end for a run that nobody saw ending.
// Does not watch over anything itself: see keeper.hpp.
#pragma once

#include "vm/live.hpp"

#include <optional>
#include <string>

namespace qlaunch {

/// Who keeps a run since its first keeper ended.
struct Succession {
  ProcessId qemu, keeper;
  Unwatched unwatched;
};

/// `data/NAME/keeper.json`: beside the live record, which other commands write, too.
std::optional<Succession> read_succession(const std::string& name);
void write_succession(const std::string& name, const Succession& succession);
void forget_succession(const std::string& name);

/// Puts a new keeper beside a QEMU that runs without one, and into `live`. Where that is not
/// possible (no sockets, no memory) nothing changes. With many at once, one does it.
void take_over(LiveRecord& live);

/// What is to be done after a run whose QEMU and keeper are both gone: helpers are ended, the end
/// is written down (`how`: in words, where it is known), sockets are removed. Leaves it alone where
/// somebody else is at it, or has been.
void tidy_dead_run(const LiveRecord& dead, const std::string& how = {});

/// The same after a start that was killed before it had written a record; `runtime` is its folder.
void tidy_dead_start(const std::string& name, const std::string& runtime);

}  // namespace qlaunch
