// SPDX-License-Identifier: MIT
#include "plan/monitor.hpp"

namespace qlaunch::planner {

void add_monitor(Draft& draft) {
  const auto add = [&draft](const std::string& role, std::string rule) {
    draft.option({"-chardev", draft.listening_socket(role)}, Draft::by_rule(std::move(rule)));
    draft.option({"-mon", "chardev=" + role + ",mode=control"},
                 Draft::by_rule("QMP on the socket `" + role + "`"));
  };
  add("qmp",
      "for commands: a socket that listens already, so there is nothing to wait for and "
      "nobody can take its path");
  add("keeper", "for the keeper: QMP answers one client a socket, so it has its own");
}

}  // namespace qlaunch::planner
