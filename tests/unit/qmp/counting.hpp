// SPDX-License-Identifier: MIT
// What this thread has allocated with `new`, counted in the whole test program.
// Does not see what C libraries allocate; the library under test uses none that does.
#pragma once

namespace test {

struct Allocations {
  long made = 0;        // so far
  long alive = 0;       // not freed, or freed by another thread
  long alive_size = 0;  // in bytes
};
Allocations allocations();

/// What the last of three equal runs of `work` left alive and made more than the one before it: an
/// empty object if neither grows with the number of calls.
template <class Work>
Allocations growth(Work work) {
  work();  // what is kept for reuse is made here
  const auto start = allocations();
  work();
  const auto middle = allocations();
  work();
  const auto end = allocations();
  return {(end.made - middle.made) - (middle.made - start.made), end.alive - middle.alive,
          end.alive_size - middle.alive_size};
}

}  // namespace test
