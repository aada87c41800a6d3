// SPDX-License-Identifier: MIT
// From a profile to a running VM: prepares files, starts the keeper with QEMU and the helpers, and
// undoes everything where that fails. Does not wait for the guest (see wait.hpp).
#pragma once

#include "image/pull.hpp"
#include "vm/diff.hpp"
#include "vm/live.hpp"
#include "vm/record.hpp"

#include <functional>
#include <string>
#include <vector>

namespace qlaunch {

struct LaunchRequest {
  std::string profile;  // absolute path or "builtin:NAME", from find_profile
  std::vector<std::string> settings;
  std::string folder;  // what relative paths in them start from; empty: where this process is
  std::string name;    // --name; empty: the profile's
  bool adopt = false;  // --adopt: the profile takes over a known VM of this name
  /// --ephemeral: a VM of its own of which nothing is left. It starts from overlays on the disks of
  /// the VM `of`; empty: the profile's.
  bool ephemeral = false;
  std::string of;
  bool paused = false;         // the guest waits for `cont`: StateError where it has no serial port
  std::string cdrom;           // an absolute path: booted first, this once
  std::string from;            // a snapshot of the VM `name`, which starts with its plan
  bool discard = false;        // with `from`: does not keep the disks as they are
  bool discard_state = false;  // a suspended VM starts anew
  bool cold = false;           // an ephemeral run boots, and a saved ready state goes
  bool agent = false;          // it is used through the guest's agent
  std::optional<WarmStart> warm = {};  // set by warm_start
};

/// Told as it happens, for progress on a terminal.
struct LaunchProgress {
  std::function<void(const std::string& text)> step = [](const auto&) {};
  std::function<void(const Diagnostic&)> warning = [](const auto&) {};
  std::function<void(const PullProgress&)> download = [](const auto&) {};
};

struct Launched {
  LiveRecord live;
  bool was_running = false;
  std::vector<ProfileChange> changes;  // was running, and the profile says something else now
  bool resumed = false;           // the guest goes on where a snapshot was made: it does not boot
  std::string warm_from = {};     // when the ready state was saved that it started from
  bool clock_set = false;         // and its clock told the time
  std::string resumed_from = {};  // when the state was saved from which it goes on
};

/// Holds SIGINT and SIGTERM off only as `interrupted` asks: it is polled between steps and while
/// QEMU starts; true undoes the launch (Error "interrupted", exit code 130 is the caller's matter).
Launched launch(
    const LaunchRequest& request, const LaunchProgress& progress,
    const std::function<bool()>& interrupted = [] { return false; });

/// All that can be said against a launch while its VM still runs as it was: throws it. Fetches the
/// images that it would fetch.
void check_launch(
    const LaunchRequest& request, const LaunchProgress& progress = {},
    const std::function<bool()>& interrupted = [] { return false; });

/// Lets the guest go that `paused` holds; one that runs already is left alone.
void start_paused(const std::string& name);

/// Profile and facts to a plan, as launch and `args` do it: loads, gathers facts, resolves the
/// recorded machine type and ports, and throws ProfileError with everything that is wrong.
struct Prepared {
  Profile profile;           // `name` is the VM's
  std::string profile_name;  // what the profile calls the VM
  std::string regular;       // the VM that an ephemeral one starts from
  std::string identity;
  bool known = false;  // there was a record of it
  HostFacts facts;
  Plan plan;
  std::vector<Diagnostic> warnings;
  std::vector<RecordedSource> sources;
};
Prepared prepare(const LaunchRequest& request, SocketStyle sockets);

}  // namespace qlaunch
