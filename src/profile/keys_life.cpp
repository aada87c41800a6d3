// SPDX-License-Identifier: MIT
#include "profile/ports.hpp"
#include "profile/reader.hpp"
#include "profile/sections.hpp"

namespace qlaunch {

Section ready_section() {
  return {
      .path = "ready",
      .meaning = "When the guest counts as usable: `up` waits for it.",
      .keys =
          {
              {.name = "when",
               .meaning =
                   "`ssh` (a banner on the guest's port 22), `agent` (qemu-guest-agent "
                   "answers), `provisioned` (what [guest] says is done), `serial:TEXT` (the "
                   "guest writes that), `port:N` (something talks on that port of the guest), "
                   "`started` (QEMU runs).",
               .fallback_words =
                   "\"ssh\" where there is a [guest] that ssh can reach, else \"started\"",
               .example = "when = \"serial:login:\"",
               .pattern = "^(ssh|agent|provisioned|started|serial:.+|port:[0-9]{1,5})$",
               .form = check_ready,
               .set = to(&Ready::when)},
              {.name = "timeout",
               .type = KeyType::duration,
               .meaning = "How long `up` waits before it is an error.",
               .fallback = "\"120s\"",
               .example = "timeout = \"5m\"",
               .starter = "\"120s\"",
               .set = to(&Ready::timeout)},
          },
      .object = [](Profile& profile) -> void* { return &profile.ready; },
  };
}

Section start_section() {
  return {
      .path = "start",
      .meaning = "How runs begin.",
      .keys =
          {
              {.name = "warm",
               .type = KeyType::boolean,
               .meaning = "Whether ephemeral runs (`run`, `up --ephemeral`) start from a saved "
                          "state in which the guest is ready, which the first of them keeps.",
               .fallback = "false",
               .example = "warm = true",
               .set = to(&Start::warm)},
          },
      .object = [](Profile& profile) -> void* { return &profile.start; },
  };
}

Section shutdown_section() {
  return {
      .path = "shutdown",
      .meaning = "How the guest is stopped.",
      .keys =
          {
              {.name = "timeout",
               .type = KeyType::duration,
               .meaning = "How long the guest may take to stop.",
               .fallback = "\"60s\"",
               .example = "timeout = \"2m\"",
               .starter = "\"60s\"",
               .set = to(&Shutdown::timeout)},
              {.name = "on_host",
               .type = KeyType::choice,
               .meaning = "What happens to the guest at logout or when the host shuts down.",
               .fallback = "\"shutdown\"",
               .example = "on_host = \"suspend\"",
               .choices = {{"shutdown", int(OnHostShutdown::shutdown), "it is shut down"},
                           {"suspend", int(OnHostShutdown::suspend), "its state is saved"}},
               .set = to(&Shutdown::on_host)},
          },
      .object = [](Profile& profile) -> void* { return &profile.shutdown; },
  };
}

Section qemu_section() {
  return {
      .path = "qemu",
      .meaning = "QEMU itself, for what the profile cannot say.",
      .keys =
          {
              {.name = "binary",
               .meaning = "The QEMU to run: a command's name, or a path.",
               .fallback = "\"qemu-system-x86_64\"",
               .example = "binary = \"/opt/qemu/bin/qemu-system-x86_64\"",
               .path = PathRule::with_slash,
               .set = to(&QemuOptions::binary)},
              {.name = "virtiofsd",
               .meaning = "The virtiofsd that serves virtiofs shares: a command's name, or a path.",
               .fallback_words = "the first Rust one that is found in PATH, by QEMU's descriptors, "
                                 "beside QEMU or in the usual folders, else QEMU's own",
               .example = "virtiofsd = \"/opt/virtiofsd/bin/virtiofsd\"",
               .path = PathRule::with_slash,
               .set = to(&QemuOptions::virtiofsd)},
              {.name = "args",
               .type = KeyType::strings,
               .meaning = "Further arguments, appended as they are.",
               .fallback = "[]",
               .example = "args = [\"-device\", \"edu\"]",
               .set = to(&QemuOptions::args)},
              {.name = "sandbox",
               .type = KeyType::boolean,
               .meaning =
                   "Whether QEMU confines itself (-sandbox on, with the strictest sub-options "
                   "that the profile allows).",
               .fallback = "true",
               .example = "sandbox = false",
               .set = to(&QemuOptions::sandbox)},
          },
      .object = [](Profile& profile) -> void* { return &profile.qemu; },
  };
}

}  // namespace qlaunch
