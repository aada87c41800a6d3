// SPDX-License-Identifier: MIT
// Finding what a word on the command line means: a profile's file or a known VM. Starts nothing.
#pragma once

#include "profile/load.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct Record;

/// The profile built into the binary, shown as "builtin:hello".
constexpr std::string_view builtin_prefix = "builtin:";

/// What `extends`, $VAR and ~ see on this host.
ProfileWorld host_world();

/// PROFILE: a path, or a name looked up in the profile folders and then among the built-in ones.
/// Returns an absolute path or "builtin:NAME". Throws UsageError with the places searched and the
/// nearest name.
std::string find_profile(const std::string& word);

/// Where a known VM's profile is. Throws UsageError where it is gone.
std::string profile_of(const Record& record);

/// Reads and checks; `shown` in messages is the word itself where it is a path. Relative paths in
/// settings start from `folder`; empty: where this process is.
LoadedProfile open_profile(const std::string& path, const std::vector<std::string>& settings,
                           const std::string& folder = {});

/// Names (without .toml) of every profile that find_profile would find by name.
std::vector<std::string> known_profiles();

/// Names of all VMs that have a record or run, sorted.
std::vector<std::string> known_vms();

/// In the data folder of a VM that is not called by its identity.
constexpr std::string_view renamed_mark = "/renamed";

/// What the VM of this profile, which calls it `name`, is called: another name after a rename.
std::string vm_called(const std::string& name, const std::string& profile);

/// The identity of a VM that is made now: its name, but for one that another VM was called first.
std::string new_identity(const std::string& name);

/// VM: a known VM's name, or the path or name of a profile whose VM is known. Throws StateError
/// (with the nearest name) where there is none.
std::string find_vm(const std::string& word);

}  // namespace qlaunch
