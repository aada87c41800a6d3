// SPDX-License-Identifier: MIT
// All that is known of one VM, from its record, its run and QEMU, and short texts about it.
// Changes nothing.
#pragma once

#include "core/error.hpp"
#include "guest/addresses.hpp"
#include "guest/auto_forward.hpp"
#include "profile/profile.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"
#include "vm/state/suspended.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct VmFacts {
  VmStatus status;
  std::optional<Record> record;
  std::optional<Plan> last_plan;       // of the last run; nothing while it runs
  std::optional<EndOfRun> end;         // of the last run; nothing while it runs
  std::optional<Suspended> suspended;  // where it is
  std::optional<Profile> profile;      // as it was at the last start
  std::vector<PlannedForward> all_forwards;
  std::optional<AutoPorts> auto_ports;  // of a run with `auto_forward`
  GuestAddresses addresses;

  const std::string& name() const { return status.name; }
  bool runs() const { return status.live.has_value(); }
  /// Of the run, else of the last one; null where there never was one.
  const Plan* plan() const;
  /// With the ports that are really taken.
  const std::vector<PlannedForward>& forwards() const;
  /// The first forward to the guest's port 22 over TCP; 0 where there is none.
  const Forward* ssh() const;
};

/// `whole` also reads the profile, which only `status` and `up` show something of.
VmFacts gather_vm(const std::string& name, bool whole);

/// What is known of a VM that has just been started, without a question to anybody.
VmFacts started_facts(const LiveRecord& live);

/// All known VMs. One whose record cannot be read hides none of the others: it is left out, and
/// `problem` is told why.
std::vector<VmFacts> gather_vms(bool whole, const std::function<void(const Error&)>& problem);

/// "127.0.0.1:2223 -> 22 tcp"
std::string arrow_text(const Forward& forward);
/// The same, and "(auto)" behind one that appeared by itself.
std::string arrow_text(const PlannedForward& planned);

/// "12s", "3m 12s", "2h 5m", "3d 4h"
std::string uptime_text(double seconds);

/// "running", "paused (io-error)"
std::string state_text(const VmStatus& status);

/// "qlaunch ssh web"; empty where nothing leads there.
std::string ssh_command(const VmFacts& facts);

/// How its picture is seen, as a command or in words; empty without a run.
std::string display_text(const VmFacts& facts);

/// "NAME runs (pid 4242, tcg, 128 MiB)" and a line for each way to reach it.
std::string reach_text(const VmFacts& facts);

/// The last lines of the serial log, harmless to a terminal; empty where it is.
std::vector<std::string> serial_tail(const Plan& plan, std::size_t lines);

}  // namespace qlaunch
