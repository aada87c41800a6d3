// SPDX-License-Identifier: MIT
// What --json prints: the documented keys of VMs, findings and diagnostics. Prints nothing itself.
#pragma once

#include "cli/facts.hpp"
#include "core/diagnostic.hpp"
#include "host/doctor.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// An array of the objects that `list` documents.
std::string list_json(const std::vector<VmFacts>& vms);

/// The object that `status` documents, or an array of them.
std::string status_json(const VmFacts& facts);
std::string status_json(const std::vector<VmFacts>& vms);

/// One value out of status_json(): "forwards.0.host_port", "disks.root.path". Strings are raw, all
/// else is JSON; ended by a newline. Throws UsageError, with the keys there are, for others.
std::string status_value(const VmFacts& facts, const std::string& key);

/// An array of the objects that `forward` documents.
std::string forwards_json(const std::vector<PlannedForward>& forwards);

std::string findings_json(const std::vector<Finding>& findings);
std::string diagnostics_json(const std::vector<Diagnostic>& diagnostics);

}  // namespace qlaunch
