// SPDX-License-Identifier: MIT
#include "plan/process.hpp"

#include "core/quote.hpp"

#include <algorithm>

namespace qlaunch::planner {

namespace {

void add_sandbox(Draft& draft) {
  if (!draft.profile.qemu.sandbox) {
    draft.option({"-sandbox", "off"},
                 draft.because("qemu.sandbox", "the profile turns QEMU's system call filter off"));
    return;
  }
  const auto& networks = draft.profile.networks;
  // Otherwise the helper is started for QEMU, which gets the tap device.
  const bool starts_helper =
      draft.input.sockets == SocketStyle::path &&
      std::any_of(networks.begin(), networks.end(),
                  [](const Network& network) { return network.mode == NetworkMode::bridge; });
  const std::string strict =
      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
      "resourcecontrol=deny";
  if (!starts_helper) {
    draft.option({"-sandbox", strict},
                 Draft::by_rule("a guest that breaks out of QEMU finds most system calls closed; "
                                "nothing in this profile needs them"));
  } else if (draft.facts.uid == 0) {
    draft.option({"-sandbox",
                  "on,obsolete=deny,elevateprivileges=allow,spawn=allow,"
                  "resourcecontrol=deny"},
                 Draft::by_rule("relaxed: in a script a network of mode bridge has QEMU start "
                                "qemu-bridge-helper, which spawn=deny forbids"));
  } else {
    draft.option(
        {"-sandbox", "off"},
        Draft::by_rule("off: in a script a network of mode bridge has QEMU start the setuid "
                       "qemu-bridge-helper, and for an ordinary user even a plain "
                       "-sandbox on sets NoNewPrivs, which takes setuid away"));
  }
}

}  // namespace

void add_process(Draft& draft) {
  draft.option({"-name", "guest=" + escape_commas(draft.profile.name) + ",debug-threads=on"},
               draft.because("name",
                             "shown in window titles; threads get names of their own in ps "
                             "and top"));
  draft.option({"-nodefaults"},
               Draft::by_rule("only the devices that this plan names: no CD drive, "
                              "floppy or network card of QEMU's own"));
  draft.option({"-no-user-config"},
               Draft::by_rule("no option comes from a configuration file of QEMU's"));
  add_sandbox(draft);
  if (draft.input.warm && !draft.input.warm->folder.empty())
    draft.option({"-incoming", "defer"},
                 draft.because("start.warm", "the guest goes on from its saved ready state"));
  if (draft.input.paused)
    draft.option({"-S"}, Draft::by_rule("the guest's first word waits for the console"));
}

}  // namespace qlaunch::planner
