// SPDX-License-Identifier: MIT
// What stands in the seed volume's files for keys that are made on the host: the plan does not know
// them, and what shows a plan must not. Puts nothing in their place (see guest/seed_volume.hpp).
#pragma once

namespace qlaunch {

/// The line of the key that qlaunch logs in with.
inline constexpr char own_key_mark[] = "\x01own-key\x01";
/// The host key of the guest's ssh server; its newlines become `\n`, as YAML and `printf %b` read
/// them.
inline constexpr char host_key_mark[] = "\x01host-key\x01";
inline constexpr char host_public_key_mark[] = "\x01host-public-key\x01";

}  // namespace qlaunch
