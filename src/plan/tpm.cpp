// SPDX-License-Identifier: MIT
#include "plan/tpm.hpp"

#include "core/packages.hpp"
#include "core/quote.hpp"

namespace qlaunch::planner {

namespace {

Helper make_helper(Draft& draft, const std::string& folder) {
  Helper helper;
  helper.name = "swtpm";
  helper.serves = "TPM";
  helper.socket = draft.socket_path("swtpm.sock");
  helper.socket_by_descriptor = draft.input.sockets == SocketStyle::descriptor;
  helper.reason = draft.because("machine.tpm", "QEMU emulates no TPM itself: swtpm does");
  auto& command = helper.command;
  command.program = draft.facts.swtpm;
  std::string control = "type=unixio,path=" + helper.socket + ",mode=0600";
  if (helper.socket_by_descriptor) {
    command.descriptors.push_back({3, helper.name, helper.socket});
    control = "type=unixio,fd=3";
  }
  command.arguments = {
      {{"socket"}, Draft::by_rule("serve one guest over a socket")},
      {{"--tpm2"}, Draft::by_rule("systems of today want version 2.0")},
      {{"--tpmstate", "dir=" + folder + ",mode=0600"},
       Draft::by_rule("keys and counters last as long as the VM")},
      {{"--ctrl", control}, Draft::by_rule("where QEMU reaches it")},
      {{"--terminate"}, Draft::by_rule("ends when QEMU does")},
  };
  return helper;
}

}  // namespace

void add_tpm(Draft& draft) {
  if (!draft.profile.machine.tpm) return;
  if (draft.board == Board::microvm) return draft.not_on_microvm("machine.tpm", "a TPM");
  if (draft.facts.swtpm.empty()) {
    draft.error("machine.tpm", "a TPM needs swtpm, which is not installed")
        .help.push_back(install_help("swtpm"));
    return;
  }
  const auto folder = draft.plan.paths.data + "/tpm";
  // swtpm splits its options at commas and knows no escape.
  for (const auto& path : {folder, draft.plan.paths.runtime}) {
    if (path.find(',') == std::string::npos) continue;
    draft.error("machine.tpm", "swtpm cannot be told of a path with a comma: " + in_backticks(path))
        .help.emplace_back("set QLAUNCH_HOME to a folder without one");
    return;
  }
  draft.need_folder(draft.plan.paths.data, "this VM's lasting files");
  draft.prepare({MakeFolder{folder}, draft.because("machine.tpm", "the TPM's own state")});
  auto helper = make_helper(draft, folder);
  draft.option({"-chardev", "socket,id=tpm-socket,path=" + escape_commas(helper.socket)},
               draft.because("machine.tpm", "swtpm's control socket"));
  draft.option({"-tpmdev", "emulator,id=tpm0,chardev=tpm-socket"},
               draft.because("machine.tpm", "the TPM is played by a process beside QEMU"));
  const bool uefi = draft.profile.machine.firmware != Firmware::bios;
  draft.device({{"driver", uefi ? "tpm-crb" : "tpm-tis"}, {"id", "tpm"}, {"tpmdev", "tpm0"}},
               draft.because("machine.tpm", uefi ? "the interface of TPM 2.0, which UEFI knows"
                                                 : "the interface that the BIOS knows"),
               "machine.tpm");
  draft.plan.helpers.push_back(std::move(helper));
}

}  // namespace qlaunch::planner
