// SPDX-License-Identifier: MIT
// The event journal of a VM (JSON lines with times) and the paths of its logs. Does not decide what
// is worth writing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// Adds one line {"time":…,"event":…,"data":…}; `data` is JSON text or empty.
void journal(const std::string& name, std::string_view event, const std::string& data = {});

/// UTC with milliseconds, "2026-01-31T12:00:00.123Z".
std::string timestamp();

struct LogFile {
  std::string name;  // "serial", "qemu", "events", "virtiofsd-TAG", "swtpm"
  std::string path;
};

/// Those that exist for this VM.
std::vector<LogFile> log_files(const std::string& vm);

}  // namespace qlaunch
