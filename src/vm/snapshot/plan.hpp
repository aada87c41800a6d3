// SPDX-License-Identifier: MIT
// Plans as snapshots see them: whether two are the same machine, what is kept of one, what QEMU
// starts with to take a snapshot up. Pure.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// Whether a snapshot of the one loads into the other. Forwards, displays and sockets are the
/// host's matter: these may differ.
bool same_machine(const Plan& one, const Plan& other);

/// Without what belongs to one start alone.
Plan plan_to_keep(const Plan& plan);
/// QEMU waits for what is loaded.
Plan plan_to_load_into(Plan plan);

/// A forward's port in the plan and in what QEMU is told.
void set_host_port(Plan& plan, std::size_t forward, std::uint16_t port);

/// The disks that a snapshot has to have: those that the guest writes, and the UEFI variables.
std::vector<PlannedDisk> written_disks(const Plan& plan);

/// Where swtpm keeps its state; empty: no TPM.
std::string tpm_folder(const Plan& plan);

}  // namespace qlaunch
