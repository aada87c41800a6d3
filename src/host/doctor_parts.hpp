// SPDX-License-Identifier: MIT
// The looks of examine_host() that need no QEMU. Nobody else includes it.
#pragma once

#include "host/doctor.hpp"

namespace qlaunch::doctor {

using Findings = std::vector<Finding>;

void examine_namespaces(Findings& findings);
void examine_bridge(const std::string& qemu, Findings& findings);
/// A device node that vhost drivers offer; `use` says what is missed without it.
void examine_device(const std::string& topic, const std::string& device, const std::string& use,
                    const std::string& module, Findings& findings);
void examine_memory(Findings& findings);
void examine_disk(const StateRoots& roots, Findings& findings);
void examine_runtime(const StateRoots& roots, Findings& findings);

}  // namespace qlaunch::doctor
