// SPDX-License-Identifier: MIT
// Which of the installed viewers can show a VM, and how it is called. Starts none.
#pragma once

#include "plan/plan.hpp"

#include <string>
#include <vector>

namespace qlaunch {

struct Viewer {
  std::vector<std::string> argv;  // "%p" in a word stands for a port, "%d" for that less 5900
  bool needs_port = false;        // it knows no Unix sockets
};

/// The first of them; without words where there is none.
Viewer find_viewer(const Plan& plan);

}  // namespace qlaunch
