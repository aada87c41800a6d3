// SPDX-License-Identifier: MIT
// Shares that were taken from a guest, written down so that they are given back whoever is killed
// meanwhile. Asks no guest and no QEMU: see detach.hpp.
#pragma once

#include "vm/live.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct DetachedShare {
  struct Mount {
    std::string target, options;
    long order = 0;  // among those of all shares, as they were made: one may lie in another
  };
  std::string tag;
  bool virtiofs = false;
  std::string id, device;     // as in PlannedShare; of a virtiofs share: unplugged
  std::vector<Mount> mounts;  // in the order in which they were made
};

std::string detached_to_json(const std::vector<DetachedShare>& shares);
/// Throws Error.
std::vector<DetachedShare> detached_from_json(const std::string& text);

/// What has to be given back to which QEMU, and who is at it.
struct RememberedShares {
  ProcessId process, qemu;
  std::vector<DetachedShare> shares;
};

enum class GivenBackBy { this_process, next_command };

/// Whoever takes shares away, or lets a guest go on that lacks them, says so here first.
void remember_shares(const LiveRecord& live, const std::vector<DetachedShare>& shares,
                     GivenBackBy whom = GivenBackBy::this_process);
std::optional<RememberedShares> remembered_shares(const std::string& name);
void forget_shares(const std::string& name);

/// Whether a process other than this one is about to give them back.
bool others_at_work(const RememberedShares& left);
/// Throws StateError where something is left: what is saved now would lose it.
void refuse_detached(const LiveRecord& live);
/// Shares that nobody is about to give back, in words; empty: none.
std::string shares_left_out(const std::string& name);

/// Without the devices of these shares: what QEMU starts with to load a state that was saved
/// without them.
Plan without_shares(Plan plan, const std::vector<DetachedShare>& shares);

}  // namespace qlaunch
