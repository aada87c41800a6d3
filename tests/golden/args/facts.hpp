// SPDX-License-Identifier: MIT
// A host written down: what plans are made for in tests, whatever machine runs them.
#pragma once

#include "plan/host_facts.hpp"

#include <map>
#include <string>

namespace test {

/// Files by path, as a plan sees them; everything else is missing.
using Files = std::map<std::string, qlaunch::FileFact>;

qlaunch::FileFact folder();
qlaunch::FileFact raw_file(std::uint64_t size);
qlaunch::FileFact qcow2_file(std::uint64_t virtual_size);

/// What the shipped profiles and the golden cases need: kernels, an ISO, folders, firmware.
Files usual_files();

/// Debian 12's QEMU 7.2 with KVM that works, an ordinary user at a desktop, Intel's CPU.
qlaunch::HostFacts usual_facts(Files files = usual_files());

}  // namespace test
