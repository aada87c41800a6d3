// SPDX-License-Identifier: MIT
#include "plan/machine.hpp"

#include "core/quote.hpp"
#include "core/suggest.hpp"

namespace qlaunch::planner {

namespace {

/// The versioned type, or nothing after an error.
std::string resolve_type(Draft& draft) {
  const auto& qemu = draft.facts.qemu;
  const auto& wanted = draft.input.machine_type;
  if (!wanted.empty()) {
    if (!qemu.machines.empty() && !qemu.machines.contains(wanted)) {
      draft
          .error("machine.type", "this VM was made with machine type " + in_backticks(wanted) +
                                     ", which QEMU " + qemu.version + " does not have")
          .help.emplace_back("use the QEMU it was made with, or remove the VM's record");
      return {};
    }
    return wanted;
  }
  const auto& type = draft.profile.machine.type;
  if (const auto alias = qemu.machine_aliases.find(type); alias != qemu.machine_aliases.end())
    return alias->second;
  if (!qemu.machines.empty() && !qemu.machines.contains(type)) {
    auto& problem = draft.error("machine.type", "unknown machine type " + in_backticks(type));
    const std::vector<std::string> known(qemu.machines.begin(), qemu.machines.end());
    if (const auto near = nearest(type, known)) {
      problem.help.push_back("did you mean " + in_backticks(*near) + "?");
    } else {
      problem.help.push_back("see `" + shell_quote(qemu.path) + " -machine help`");
    }
    return {};
  }
  return type;
}

bool choose_board(Draft& draft, const std::string& type) {
  if (type.starts_with("pc-q35") || type == "q35") {
    draft.board = Board::q35;
  } else if (type.starts_with("pc-i440fx") || type == "pc") {
    draft.board = Board::pc;
  } else if (type.starts_with("microvm")) {
    draft.board = Board::microvm;
  } else {
    draft.error("machine.type", "machine type " + in_backticks(type) + " is not supported")
        .help.emplace_back("use q35, pc, microvm, or a versioned type of q35 or pc");
    return false;
  }
  return true;
}

/// Whether KVM carries the guest; says so where it does not and was expected to.
bool choose_accelerator(Draft& draft) {
  const auto wanted = draft.profile.machine.accel;
  if (wanted == Accel::tcg) return false;
  if (draft.facts.kvm_works) return true;
  const auto& problem = draft.facts.kvm_problem;
  const auto because = problem.empty() ? std::string{} : ": " + problem;
  if (wanted == Accel::kvm) {
    auto& found = draft.error("machine.accel", "KVM does not work here" + because);
    found.help.emplace_back(
        "see `qlaunch doctor`; or use accel = \"auto\", which emulates the CPU "
        "where KVM does not work");
    return true;
  }
  // One loud line, without a place: nothing in the file is wrong.
  auto& found = draft.warning("machine.accel", "the CPU is emulated, many times slower than KVM" +
                                                   (problem.empty() ? "" : ": " + problem));
  found.where = {};
  found.help.emplace_back("`qlaunch doctor` says what can be done; accel = \"tcg\" silences this");
  return false;
}

}  // namespace

void add_machine(Draft& draft) {
  const auto& machine = draft.profile.machine;
  const auto type = resolve_type(draft);
  if (!type.empty()) choose_board(draft, type);
  draft.plan.machine_type = type;
  std::string text = type.empty() ? machine.type : type;
  std::string rule = draft.input.machine_type.empty()
                         ? "a versioned type, so that snapshots still load after an upgrade of QEMU"
                         : "the type that this VM was made with, so that its snapshots load";
  if (draft.board != Board::microvm) {
    text += ",vmport=off";
    rule += "; VMware's back door is off: no guest here needs it";
  }
  draft.option({"-machine", text}, draft.because("machine.type", rule));
  if (draft.board == Board::microvm) {
    draft.option(
        {"-global", "virtio-mmio.force-legacy=false"},
        Draft::by_rule("virtio 1.0, which vhost-user-fs insists on; QEMU's default here is "
                       "the draft before it"));
  }

  draft.plan.kvm = choose_accelerator(draft);
  draft.option(
      {"-accel", draft.plan.kvm ? "kvm" : "tcg"},
      draft.because("machine.accel", draft.plan.kvm ? "KVM was tried and works"
                                                    : "the CPU is emulated: works everywhere"));
}

void add_clock(Draft& draft) {
  const auto& machine = draft.profile.machine;
  draft.option({"-rtc", "base=" + escape_commas(machine.rtc) +
                            (machine.rtc_catchup ? ",driftfix=slew" : "")},
               machine.rtc_catchup
                   ? draft.because("machine.rtc_catchup",
                                   "ticks that the guest missed are delivered "
                                   "later, so that its clock catches up")
                   : draft.because("machine.rtc", "what the hardware clock starts from"));
  // The properties belong to the chip that does power management on each board.
  if (!machine.guest_sleep && draft.board != Board::microvm) {
    const std::string chip = draft.board == Board::q35 ? "ICH9-LPC" : "PIIX4_PM";
    for (const std::string state : {"disable_s3", "disable_s4"})
      draft.option(
          {"-global", chip + '.' + state + "=1"},
          draft.because("machine.guest_sleep",
                        state == "disable_s3"
                            ? "no suspend to memory: a guest that sleeps looks like one that "
                              "hangs"
                            : "no suspend to disk: a guest that sleeps looks like one that ended"));
  }
  draft.option({"-boot", machine.boot_menu ? "strict=on,menu=on" : "strict=on"},
               draft.because(machine.boot_menu ? "machine.boot_menu" : "machine.boot",
                             "firmware tries only what `machine.boot` lists, in that order"));
}

}  // namespace qlaunch::planner
