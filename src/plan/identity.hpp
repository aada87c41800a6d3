// SPDX-License-Identifier: MIT
// Names that follow from other names: MAC addresses, UUIDs, ids that QEMU accepts. The same input
// gives the same result on every machine and in every release; nothing here is a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch::planner {

/// 64-bit FNV-1a over the parts, each ended by a zero byte so that ("a", "bc") is not ("ab", "c").
std::uint64_t stable_hash(const std::vector<std::string_view>& parts);

/// 52:54:00 is QEMU's own prefix; the rest tells VMs, networks and hosts apart.
std::string derived_mac(std::string_view vm, std::string_view network, std::string_view machine_id);

/// A version 8 UUID (RFC 9562: made by a rule of one's own).
std::string derived_uuid(std::string_view vm, std::string_view machine_id);

/// prefix + name where QEMU takes that as an id, else prefix + a hash of the name. QEMU wants a
/// letter first, then letters, digits and "-._", and cuts node names off at 31 bytes.
std::string qemu_id(std::string_view prefix, std::string_view name);

}  // namespace qlaunch::planner
