// SPDX-License-Identifier: MIT
#include "cli/viewer.hpp"

#include "core/error.hpp"
#include "host/programs.hpp"
#include "host/spawn.hpp"

namespace qlaunch {
namespace {

/// Several programs are called vncviewer, with different ideas of an address.
bool is_tigervnc(const std::string& program) {
  try {
    const auto said = run_and_capture({program, "--version"}, std::chrono::seconds(5));
    return (said.out + said.err).find("TigerVNC") != std::string::npos;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

Viewer find_viewer(const Plan& plan) {
  const auto remote_viewer = find_installed("remote-viewer");
  // Spice brings sound, the clipboard and USB along.
  if (!plan.spice_address.empty() && !remote_viewer.empty())
    return {{remote_viewer, plan.spice_address}, false};
  for (const auto* name : {"xtigervncviewer", "vncviewer"}) {
    const auto program = find_installed(name);
    if (program.empty()) continue;
    if (is_tigervnc(program)) return {{program, plan.vnc_socket}, false};
    // Two colons: a port, not a display.
    if (remote_viewer.empty()) return {{program, "127.0.0.1::%p"}, true};
  }
  if (!remote_viewer.empty()) return {{remote_viewer, "vnc://127.0.0.1:%p"}, true};
  if (const auto program = find_installed("gvncviewer"); !program.empty())
    return {{program, "127.0.0.1:%d"}, true};
  return {};
}

}  // namespace qlaunch
