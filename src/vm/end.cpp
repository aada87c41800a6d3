// SPDX-License-Identifier: MIT
#include "vm/end.hpp"

#include "host/spawn.hpp"

#include <sys/wait.h>

namespace qlaunch {
namespace {

bool well(int status) {
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// What QEMU's own word for it means; empty where it gave none.
std::string shutdown_text(const SeenEnd& seen) {
  const bool asked = !seen.asked.empty();
  if (seen.shutdown == "guest-shutdown")
    return asked ? "the guest powered off, as " + seen.asked + " asked" : "the guest powered off";
  if (seen.shutdown == "guest-reset") return "the guest asked for a reset";
  if (seen.shutdown == "guest-panic") return "the guest panicked";
  if (seen.shutdown == "host-ui") return "its window was closed";
  if (seen.shutdown == "host-qmp-quit") {
    if (asked) return "ended after " + seen.asked + ": the guest did not power off in time";
    return seen.powered_down ? "ended by `quit`: the guest did not power off in time"
                             : "ended by `quit`, without asking the guest";
  }
  return seen.shutdown.empty() ? "" : "QEMU ended: " + seen.shutdown;
}

}  // namespace

EndOfRun describe_end(const SeenEnd& seen, std::string time) {
  EndOfRun end;
  end.time = std::move(time);
  if (seen.status) end.exit = describe_exit(*seen.status);
  if (seen.suspended) {
    end.reason = "suspended";
    end.text = "suspended: its state is on the disk";
    if (!seen.asked.empty()) end.text += ", as " + seen.asked + " asked";
    return end;
  }
  const bool failed = seen.status && !well(*seen.status);
  if (failed || (!seen.status && seen.shutdown.empty())) end.said = seen.said;
  if (seen.killed && (!seen.status || WIFSIGNALED(*seen.status))) {
    end.reason = "signal";
    end.text = "killed after " + seen.asked + ": QEMU did not answer";
  } else if (failed) {
    end.reason = WIFSIGNALED(*seen.status) ? "signal" : "error";
    end.text = (WIFSIGNALED(*seen.status) ? "QEMU was " : "QEMU ended with ") + end.exit;
  } else if (seen.panicked) {
    end.reason = "guest-panic";
    end.text = "the guest panicked";
  } else if (!seen.shutdown.empty()) {
    end.reason = seen.shutdown;
    if (!seen.asked.empty())
      end.reason = seen.shutdown == "host-qmp-quit" ? "host-shutdown-timeout" : "host-shutdown";
    end.text = shutdown_text(seen);
  } else if (seen.status) {
    end.reason = "exit";
    end.text = "QEMU ended by itself with exit code 0";
  } else {
    end.reason = "unknown";
    end.text = seen.taken_over
                   ? "QEMU ended; how is not known, as its first keeper had ended before it"
                   : "QEMU ended, and nobody saw how";
  }
  return end;
}

EndOfRun unseen_end(bool rebooted, std::string time) {
  EndOfRun end;
  end.time = std::move(time);
  end.reason = rebooted ? "host-restart" : "unknown";
  end.text = rebooted ? "the host went down while it ran"
                      : "QEMU ended after its keeper had, and nobody saw how";
  return end;
}

}  // namespace qlaunch
