// SPDX-License-Identifier: MIT
// The event journal of a VM (JSON lines with times) and the paths of its logs. Does not decide what
// is worth writing.
#pragma once

#include "plan/host_facts.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// Adds one line {"time":…,"event":…,"data":…}; `data` is JSON text or empty.
void journal(const std::string& name, std::string_view event, const std::string& data = {});

/// When the guest panicked, where it did so at or after `start` (a time as below) and was not reset
/// since; else empty. Looks at the last events only.
std::string panic_time(const std::string& name, const std::string& start);

/// Whether the guest agent has had its channel open since `start`, as far as the last events tell.
bool agent_there(const std::string& name, const std::string& start);

/// How a helper ended in the run that began at `start`: "killed by signal 9 (SIGKILL)"; empty where
/// nobody could know.
std::string helper_exit(const std::string& name, const std::string& helper,
                        const std::string& start);

/// The time of the last line; empty where there is none.
std::string last_time(const std::string& name);

/// UTC with milliseconds, "2026-01-31T12:00:00.123Z".
std::string timestamp();

struct LogFile {
  std::string name;  // "serial", "qemu", "events", "virtiofsd-TAG", "swtpm"
  std::string path;
};

/// Those that exist for this VM.
std::vector<LogFile> log_files(const std::string& vm);

/// Where the output of QEMU, a helper or the keeper goes: "qemu", "swtpm", "keeper".
std::string log_path(const VmPaths& paths, const std::string& name);

/// The last lines of a log, for an error message; empty where there are none.
std::string last_lines(const std::string& path, std::size_t count = 20);

}  // namespace qlaunch
