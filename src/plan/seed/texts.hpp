// SPDX-License-Identifier: MIT
// The files of the seed volume: cloud-init's, those that NixOS images made for Lima read, and what
// both of them run. Finds nothing out.
#pragma once

#include "plan/plan.hpp"
#include "plan/seed/told.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch::seed {

using SeedFile = MakeSeed::File;

/// cloud-init's `user-data`. `lasting`: without what comes and goes on the host, for the instance
/// id.
std::string cloud_config(const Told& told, bool lasting = false);

/// `user-data` of several parts: the user's own first, so that its single values win.
std::string merged_user_data(const std::string& own, const std::string& told);

/// What keeps a text from being cloud-init user data that can be merged, in words; empty where
/// nothing does.
struct UserDataProblem {
  std::string message, help;
};
std::optional<UserDataProblem> user_data_problem(const std::string& text);

/// One that changes when what the guest is told changes.
std::string instance_id(const Told& told);
std::string meta_data(const Told& told);
/// Nothing where the guest's own way (DHCP on its one card) does.
std::optional<std::string> network_config(const Told& told);

/// The files that lima-init reads, but for user-data.
std::vector<SeedFile> lima_files(const Told& told);

/// The folder `qlaunch`: what the program that runs in the guest reads.
std::vector<SeedFile> runner_files(const Told& told);

}  // namespace qlaunch::seed
