// SPDX-License-Identifier: MIT
// Where qlaunch keeps its files on this machine, from QLAUNCH_HOME or the XDG variables. Makes no
// folder except where a function says so.
#pragma once

#include "plan/host_facts.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// The four roots, absolute, without the VM's name: `<root>/NAME` is one VM's.
struct StateRoots {
  std::string runtime, data, state, cache;
};

/// QLAUNCH_HOME puts all four below it (run, data, state, cache); else XDG, else the defaults of
/// XDG. Without XDG_RUNTIME_DIR (or where it is gone, as after a logout) the runtime root is
/// `/tmp/qlaunch-UID`. Throws where that is there and is not this user's alone (0700). Makes none.
StateRoots state_roots();

/// One VM's folders. The runtime folder is short enough for every socket in it: where
/// `<runtime>/NAME` is not, it is `/tmp/qlaunch-UID/.HASH`, always the same for the same path, and
/// /tmp/qlaunch-UID is checked as above. Makes none of the four.
VmPaths vm_paths(const StateRoots& roots, std::string_view name);

/// mkdir -p; what it makes is 0700. Throws where the last one, or /tmp/qlaunch-UID on the way to
/// it, is there and belongs to somebody else or lets others in. A symlink of this user's to such a
/// folder will do where files are kept, but not where sockets are.
void make_private_folder(const std::string& path);

/// mkdir -p with the default mode, for folders that hold nothing private.
void make_folders(const std::string& path);

/// Of this process; empty where the variable is unset.
std::string environment_value(const char* name);

/// `$HOME`, else what the password database says; empty where neither tells.
std::string home_folder();

/// `$XDG_CONFIG_HOME`, else `~/.config`; without "/qlaunch". Empty where there is no home.
std::string config_home();

/// Where a profile's name is looked up, in this order: ".", the user's, the installed ones (beside
/// this program, in its build folder, in the configured place). The user's may not exist; of the
/// installed ones those that do are in it, else the configured one.
std::vector<std::string> profile_folders();

/// This program's own file, absolute.
std::string own_executable();

/// FNV-1a: the same in every version and on every machine, for names of files.
std::uint64_t stable_hash(std::string_view text);

/// Longest path that fits into sockaddr_un.
constexpr std::size_t longest_socket_path = 107;
/// Longest file name of a socket in a VM's runtime folder.
constexpr std::size_t longest_socket_name = 40;

}  // namespace qlaunch
