// SPDX-License-Identifier: MIT
// What a warm start asks of a plan: memory that can be shared copy-on-write, disks on frozen ones,
// and what makes a saved state unfit. Pure: looks at no file.
#pragma once

#include "plan/plan.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace qlaunch {

/// What a profile has that no saved ready state can be shared with, in words: "a virtiofs share".
/// `agent`: the run is used through the guest's agent, and so can wait for that.
std::optional<std::string> unfit_for_warm_start(const Profile& profile, bool agent);

/// At what the state is saved: what the profile waits for, else the agent.
ReadyWhen warm_ready(const Profile& profile);

/// What a saved state depends on, each part with what it is in words: "QEMU", "disk `root`".
using WarmKey = std::vector<std::pair<std::string, std::string>>;

/// Stand for the folders of any run in a plan that is made for its command lines only.
VmPaths warm_paths(const std::string& cache);

/// The command lines of a plan with those paths, without what is different for each run: its name
/// and its ports. Of two plans with the same text one can load the state of the other.
std::string warm_command_lines(const Plan& plan);

/// What that part of a key is called.
constexpr const char* command_lines_part = "the command lines";

/// What the guest's own names follow from: the same in every run of this VM's state.
std::string warm_identity(const std::string& vm);

/// The parts that are not the same in both, in words.
std::vector<std::string> changed_parts(const WarmKey& before, const WarmKey& now);

/// The file of a frozen disk, and of the empty overlay on it that each run gets a copy of.
std::string frozen_disk(const std::string& folder, const std::string& path);
std::string frozen_overlay(const std::string& folder, const std::string& path);
std::string frozen_memory(const std::string& folder);
std::string frozen_nvram(const std::string& folder);

/// The VM's keys in `ssh/keys` of its folder, as guest/ssh_identity.hpp makes them: a guest that
/// goes on knows no others.
constexpr const char* ssh_key_files[] = {"id_ed25519", "id_ed25519.pub", "ssh_host_ed25519_key",
                                         "ssh_host_ed25519_key.pub"};

}  // namespace qlaunch
