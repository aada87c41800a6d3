// SPDX-License-Identifier: MIT
// A TPM 2.0 in the guest, played by swtpm.
// Keeps its state nowhere but in the VM's data folder.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Nothing where the profile wants none.
void add_tpm(Draft& draft);

}  // namespace qlaunch::planner
