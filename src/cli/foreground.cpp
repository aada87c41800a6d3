// SPDX-License-Identifier: MIT
#include "cli/foreground.hpp"

#include "cli/interrupt.hpp"
#include "vm/foreground.hpp"

namespace qlaunch {

int in_foreground(const std::vector<std::function<LaunchRequest()>>& requests, StartHow how,
                  Terminal& terminal) {
  const InterruptGuard guard;
  const Foreground foreground;
  how.stays = true;
  how.fetches =
      [&, told = std::chrono::steady_clock::time_point()](const PullProgress& how_far) mutable {
        const auto now = std::chrono::steady_clock::now();
        if (now - told < std::chrono::seconds(1)) return;
        told = now;
        foreground.fetching(how_far.name + ", " + format_size_rounded(how_far.have));
      };
  how.waits = [&](const LiveRecord& live, const std::string& what, Duration timeout) {
    foreground.started(live, what, timeout);
  };
  how.ready = [&](const LiveRecord& live) { foreground.ready(live); };
  how.failed = [&](const Error& error) { foreground.not_ready(error.what()); };
  const auto started = start_vms(requests, how, terminal);
  const auto& launched = started.vms.front();
  if (!launched || !alive(launched->live.qemu)) return started.code;
  // What came so far; from here on signals are heard there.
  const int signal = InterruptGuard::interrupted() ? InterruptGuard::exit_code() - 128 : 0;
  const auto end = foreground.stay(launched->live, signal,
                                   [&](const std::string& text) { terminal.say(text + '\n'); });
  terminal.result(launched->live.name + ": " + end.text + '\n');
  return foreground_exit_code(end);
}

}  // namespace qlaunch
