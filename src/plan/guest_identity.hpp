// SPDX-License-Identifier: MIT
// Who the guest is told to be: UUID, SMBIOS strings, systemd credentials.
// Makes no keys and no seed volume.
#pragma once

#include "plan/draft.hpp"

namespace qlaunch::planner {

/// Values that may be secret go by file, not by command line.
void add_guest_identity(Draft& draft);

}  // namespace qlaunch::planner
