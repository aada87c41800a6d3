// SPDX-License-Identifier: MIT
// The certificate authorities that administrators add to this machine. Checks none of them, and
// leaves out what cannot be read.
#pragma once

#include <string>
#include <vector>

namespace qlaunch {

/// The texts of the files below these folders that hold a certificate and no private key.
std::vector<std::string> certificates_below(const std::vector<std::string>& folders);

/// Where Debian, Fedora, Arch and SUSE have them.
std::vector<std::string> added_certificates();

}  // namespace qlaunch
