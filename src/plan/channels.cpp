// SPDX-License-Identifier: MIT
#include "plan/channels.hpp"

#include "core/quote.hpp"

namespace qlaunch::planner {

namespace {

/// Its log begins with what the guest said before its state was saved.
bool goes_on(const PlanInput& input) {
  return input.warm && !input.warm->folder.empty();
}

void add_serial(Draft& draft) {
  const auto& serial = draft.profile.serial;
  if (serial.type == SerialType::none) return;
  std::string log;
  if (serial.log) {
    // A script that somebody pastes must not write into the log of a running VM.
    const bool own = draft.input.sockets == SocketStyle::descriptor;
    const auto& folder = own ? draft.plan.paths.state : draft.plan.paths.runtime;
    if (own) draft.need_folder(folder, "logs are kept there");
    draft.plan.serial_log = folder + "/serial.log";
    log = ",logfile=" + escape_commas(draft.plan.serial_log);
    if (goes_on(draft.input)) {
      log += ",logappend=on";
      draft.prepare({CopyFile{draft.plan.serial_log, draft.input.warm->folder + "/serial.log"},
                     draft.because("start.warm", "what the guest said before it was saved")});
    }
  }
  draft.option({"-chardev", draft.listening_socket("serial", log)},
               draft.because("serial",
                             "the serial console: on a socket, and in a file so that "
                             "nothing is lost while nobody looks"));
  if (serial.type == SerialType::isa) {
    draft.option({"-serial", "chardev:serial"},
                 draft.because("serial.type",
                               "COM1, ttyS0 in Linux: firmware and boot loaders speak "
                               "there too"));
  } else {
    draft.device({{"driver", "virtconsole"},
                  {"id", "console0"},
                  {"bus", draft.serial_bus()},
                  {"chardev", "serial"}},
                 draft.because("serial.type", "hvc0 in Linux"), "serial.type");
  }
}

void add_agent(Draft& draft) {
  if (!draft.profile.machine.guest_agent) return;
  draft.option(
      {"-chardev", draft.listening_socket("agent")},
      draft.because("machine.guest_agent", "the socket on which qemu-guest-agent answers"));
  draft.device({{"driver", "virtserialport"},
                {"id", "agent-port"},
                {"bus", draft.serial_bus()},
                {"chardev", "agent"},
                {"name", "org.qemu.guest_agent.0"}},
               draft.because("machine.guest_agent", "the name under which the agent looks for it"),
               "machine.guest_agent");
}

}  // namespace

void add_channels(Draft& draft) {
  add_serial(draft);
  add_agent(draft);
}

}  // namespace qlaunch::planner
