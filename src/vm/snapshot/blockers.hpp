// SPDX-License-Identifier: MIT
// Which block nodes of a running VM a snapshot has to have, and what stands in its way, told before
// the guest is held up. Pure: works on what QEMU has answered.
#pragma once

#include "core/error.hpp"
#include "plan/plan.hpp"

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace qlaunch {

/// A node that the guest writes to.
struct WrittenNode {
  std::string name;  // the disk's in the profile; else that of the device
  std::string node;
  std::string path;
  std::string driver;  // "qcow2", "raw" …
};

/// From `query-block`. QEMU itself leaves out in silence what it is not told of.
std::vector<WrittenNode> written_nodes(const nlohmann::json& blocks, const Plan& plan);

struct Blocker {
  std::string what;
  std::vector<std::string> help;
  bool share = false;  // it can be detached
};

/// `reasons`: QEMU's blocked-reasons; not asked for where only the disks are wanted.
std::vector<Blocker> find_blockers(const std::vector<WrittenNode>& nodes,
                                   const std::vector<std::string>& reasons, const Plan& plan);

/// The same of a VM that does not run: its plan is all there is.
std::vector<Blocker> find_blockers(const Plan& plan);

/// All of them in one.
StateError blocked(const std::string& name, const std::vector<Blocker>& blockers, bool disks_only);

}  // namespace qlaunch
