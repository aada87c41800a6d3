// SPDX-License-Identifier: MIT
// Where the programs beside QEMU are. Runs only what has to be asked for its kind.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

struct Captured;

/// Absolute, existing and executable; else an Error of the three kinds (not found, not executable,
/// a folder) that names `what` and says how to install `thing`.
std::string require_program(const std::string& name, std::string_view what, std::string_view thing);

/// Whether this is a file that this user may execute.
bool is_executable(const std::string& path);

/// In PATH, else where NixOS keeps what is installed; empty where there is none.
std::string find_installed(const std::string& name);

/// What a virtiofsd says to `--version` or `--help`. The C one gives up its groups before it
/// answers anything: an ordinary user asks it in a user namespace, or else hears only that this
/// failed.
Captured ask_virtiofsd(const std::string& program, const std::string& option);

/// `<folder of the binary>/..`, by its name and by its real place (Nix profiles are full of links).
std::vector<std::string> prefixes_of(const std::string& binary);

}  // namespace qlaunch
