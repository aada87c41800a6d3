// SPDX-License-Identifier: MIT
// Finds out what a plan needs to know of this machine, and remembers what is costly to find out.
// Decides nothing: that is plan's.
#pragma once

#include "host/paths.hpp"
#include "plan/host_facts.hpp"
#include "profile/profile.hpp"

#include <string>
#include <vector>

namespace qlaunch {

/// What is to be found out; what is not asked for stays at its default.
struct FactsRequest {
  std::string qemu_binary = "qemu-system-x86_64";
  Accel accel = Accel::automatic;  // automatic and kvm: KVM is tried
  bool firmware = false;
  bool virtiofsd = false;
  std::string virtiofsd_program;  // empty: found
  Location virtiofsd_place;       // where it is named
  bool swtpm = false;
  bool bridge = false;
  bool ssh_keys = false;
  bool proxies = false;
  bool ca_certificates = false;
};

/// Only what this profile needs.
FactsRequest facts_request(const Profile& profile);

/// Throws where QEMU is missing, not executable, or not QEMU, or a virtiofsd that is named; all
/// else that is missing is a fact.
HostFacts gather_facts(const FactsRequest& request, const StateRoots& roots);
HostFacts gather_facts(const Profile& profile, const StateRoots& roots);

/// QEMU asked by QMP, or what it said the last time (by path, size and time of change).
QemuFacts qemu_facts(const std::string& binary, const StateRoots& roots);

struct KvmVerdict {
  bool works = false;
  std::string problem;  // one line, where it does not
  std::string help;     // what to do about it; may be empty
};

/// KVM tried by running a guest in it for a moment with `-cpu host`; remembered until the next
/// boot or another QEMU, unless the cause may pass. `ask_again` tries whatever is remembered.
KvmVerdict kvm_verdict(const QemuFacts& qemu, const StateRoots& roots, bool ask_again = false);

/// All descriptors in QEMU's order of preference; a file of the same name in an earlier folder
/// hides those in later ones, an empty one too. What cannot be read gets a line in `notes`.
std::vector<FirmwareDescriptor> firmware_descriptors(const std::vector<std::string>& folders,
                                                     std::vector<std::string>* notes = nullptr);
/// The user's, the system's, the distribution's, and the given ones; in order of preference.
std::vector<std::string> firmware_folders(const std::vector<std::string>& more);

struct VirtiofsdFacts {
  std::string path;  // empty: none
  VirtiofsdKind kind = VirtiofsdKind::rust;
  bool translates = false;  // knows --translate-uid
};
/// The first Rust one of all the places where it can be, else the first of QEMU's own.
VirtiofsdFacts find_virtiofsd(const std::string& qemu_binary, const StateRoots& roots);
/// The one that is named, by a path or as a command; throws where it is none.
VirtiofsdFacts named_virtiofsd(const std::string& program, const StateRoots& roots);

/// Why a folder cannot be bound read-only in a namespace of this user's own, found out by doing it;
/// empty where it can.
std::string namespace_problem();

/// Beside the QEMU binary, else in PATH; empty where there is none.
std::string find_qemu_img(const std::string& qemu_binary);
std::string find_bridge_helper(const std::string& qemu_binary);

bool kvm_nested();
/// Of /etc/machine-id; empty where there is none.
std::string machine_id();
HostFacts::CpuVendor cpu_vendor();

}  // namespace qlaunch
