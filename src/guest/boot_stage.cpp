// SPDX-License-Identifier: MIT
#include "guest/boot_stage.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <cctype>

namespace qlaunch {
namespace {

/// Longer ones are no words for a person, and a guest may write without ever ending a line.
constexpr std::size_t longest_line = 1024;
constexpr std::size_t longest_said = 200;

struct StageWords {
  BootStage stage;
  /// Comes at the beginning of that stage alone: what came before is over.
  bool anew;
  std::string_view words;
};

constexpr StageWords stage_words[] = {
    {BootStage::firmware, true, "BdsDxe: "},
    {BootStage::firmware, true, "SeaBIOS (version"},
    {BootStage::firmware, true, "UEFI Interactive Shell"},
    {BootStage::firmware, true, ">>Start PXE over"},
    {BootStage::boot_loader, true, "GNU GRUB"},
    {BootStage::boot_loader, true, "Welcome to GRUB"},
    {BootStage::boot_loader, true, "GRUB loading"},
    {BootStage::boot_loader, true, "Booting `"},
    {BootStage::boot_loader, true, "EFI stub: "},
    {BootStage::kernel, true, "] Linux version "},
    {BootStage::kernel, true, "Linux version "},
    {BootStage::userspace, false, "Run /init as init process"},
    {BootStage::userspace, false, "as init process"},
    {BootStage::userspace, false, "systemd[1]: "},
    {BootStage::userspace, false, "<<< NixOS Stage "},
    {BootStage::userspace, false, "[  OK  ] "},
    {BootStage::userspace, false, "cloud-init["},
    {BootStage::userspace, false, "Begin: Running /scripts/"},
    {BootStage::userspace, false, "built-in shell (ash)"},
    {BootStage::login, false, " login: "},
};

struct TroubleWords {
  BootTrouble trouble;
  std::string_view words;
};

// The first that fits counts: a panic that names its cause is about that.
constexpr TroubleWords trouble_words[] = {
    {BootTrouble::nothing_to_boot, "BdsDxe: No bootable option"},
    {BootTrouble::nothing_to_boot, "UEFI Interactive Shell"},
    {BootTrouble::nothing_to_boot, "No bootable device"},
    {BootTrouble::no_root, "VFS: Unable to mount root fs"},
    {BootTrouble::no_root, "ALERT!"},
    {BootTrouble::no_root, "Gave up waiting for root"},
    {BootTrouble::no_root, "An error occurred in stage 1 of the boot process"},
    {BootTrouble::panic, "Kernel panic - not syncing: "},
    {BootTrouble::no_memory, "Out of memory: Killed process"},
    {BootTrouble::emergency, "You are in emergency mode"},
    {BootTrouble::emergency, "Entering emergency mode"},
    {BootTrouble::emergency, "for maintenance"},
};

/// Without what moves a terminal's cursor and colours its words.
std::string plain(std::string_view line) {
  std::string out;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char character = line[at];
    if (character != '\x1b') {
      if (static_cast<unsigned char>(character) >= ' ') out += character;
      continue;
    }
    if (at + 1 >= line.size() || line[at + 1] != '[') continue;
    at += 2;
    while (at < line.size() && (std::isdigit(static_cast<unsigned char>(line[at])) != 0 ||
                                line[at] == ';' || line[at] == '=' || line[at] == '?'))
      ++at;
  }
  return out;
}

/// "[    1.234567] ": the kernel speaks, or systemd through it.
bool stamped(std::string_view line) {
  if (!line.starts_with('[')) return false;
  const auto end = line.find(']');
  if (end == std::string_view::npos || end < 4 || end > 20) return false;
  const auto stamp = trim(line.substr(1, end - 1));
  return stamp.find('.') != std::string_view::npos &&
         stamp.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

void BootReader::feed(std::string_view bytes) {
  if (seen_.stage == BootStage::silent && !bytes.empty()) seen_.stage = BootStage::something;
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto part = bytes.substr(0, end);
    if (line_.size() < longest_line) line_ += part.substr(0, longest_line - line_.size());
    if (end == std::string_view::npos) break;
    read(line_);
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

BootSeen BootReader::seen() const {
  if (line_.empty()) return seen_;
  BootReader now(*this);
  now.read(line_);
  return now.seen_;
}

void BootReader::read(std::string_view raw) {
  const auto line = plain(raw);
  for (const auto& [stage, anew, words] : stage_words) {
    if (line.find(words) != std::string::npos) reach(stage, anew);
  }
  if (stamped(line)) reach(BootStage::kernel, false);
  for (const auto& [trouble, words] : trouble_words) {
    if (line.find(words) == std::string::npos) continue;
    fail(trouble, line);
    break;
  }
}

void BootReader::reach(BootStage stage, bool anew) {
  // The firmware says more than one line, and so does a boot loader.
  if (anew && stage < seen_.stage) seen_ = {stage, BootTrouble::none, "", false};
  seen_.stage = std::max(seen_.stage, stage);
  // It has gone on.
  if (seen_.trouble == BootTrouble::nothing_to_boot && stage > BootStage::firmware) {
    seen_.trouble = BootTrouble::none;
    seen_.said.clear();
  }
}

void BootReader::fail(BootTrouble trouble, std::string_view line) {
  // What came first is the cause; a panic that follows from it says less.
  if (seen_.trouble != BootTrouble::none && seen_.trouble != BootTrouble::no_memory) return;
  seen_.trouble = trouble;
  auto words = trim(line);
  if (stamped(words)) words = trim(words.substr(words.find(']') + 1));
  seen_.said = std::string(words.substr(0, longest_said));
}

std::string boot_words(const BootSeen& seen) {
  switch (seen.trouble) {
    case BootTrouble::nothing_to_boot:
      return "its firmware finds nothing to boot";
    case BootTrouble::no_root:
      return "it does not find the disk with its system";
    case BootTrouble::panic:
      return "its kernel panicked";
    case BootTrouble::emergency:
      return "it is in emergency mode";
    case BootTrouble::no_memory:
    case BootTrouble::none:
      break;
  }
  if (seen.agent) return "its agent answers";
  switch (seen.stage) {
    case BootStage::firmware:
      return "its firmware runs";
    case BootStage::boot_loader:
      return "its boot loader runs";
    case BootStage::kernel:
      return "its kernel boots";
    case BootStage::userspace:
      return "its system starts";
    case BootStage::login:
      return "it shows a login prompt";
    case BootStage::something:
    case BootStage::silent:
      break;
  }
  return {};
}

namespace {

std::string how_far(const BootSeen& seen) {
  switch (seen.stage) {
    case BootStage::silent:
      return "nothing has come out of its serial port";
    case BootStage::something:
      return "nothing that came out of its serial port tells how far it is";
    case BootStage::firmware:
      return "it has got as far as its firmware";
    case BootStage::boot_loader:
      return "it has got as far as its boot loader";
    case BootStage::kernel:
      return "it has got as far as its kernel, and no program of its system has said anything";
    case BootStage::userspace:
      return "its system was starting";
    case BootStage::login:
      return "its system is up: it shows a login prompt";
  }
  return {};
}

std::vector<std::string> advice_on_trouble(const BootSeen& seen, const std::string& vm) {
  const auto said = seen.said.empty() ? "" : ": " + printable(seen.said);
  switch (seen.trouble) {
    case BootTrouble::nothing_to_boot:
      return {"its firmware finds nothing to boot" + said,
              "is there a system on its disk, and one for this firmware? `firmware` in [machine] "
              "can be \"bios\" or \"uefi\"; `--cdrom ISO` boots an installer"};
    case BootTrouble::no_root:
      return {"it does not find the disk with its system" + said,
              "compare root= on its kernel's command line with the disk, or choose another `bus` "
              "in [[disk]] for which its initrd has a driver"};
    case BootTrouble::panic:
      return {"its kernel panicked" + said};
    case BootTrouble::emergency:
      return {"it is in emergency mode" + said, "`qlaunch console " + vm + "` leads to its shell"};
    case BootTrouble::no_memory:
      return {"it ran out of memory" + said, "give it more `memory` in [machine]"};
    case BootTrouble::none:
      break;
  }
  return {};
}

/// A system that is up and lacks what is waited for.
std::vector<std::string> advice_on_system(const BootSeen& seen, const ReadyWhen& wanted,
                                          const std::string& vm) {
  const auto look_inside =
      seen.agent ? "`qlaunch exec " + vm + " -- ss -ltn`" : "`qlaunch console " + vm + '`';
  switch (wanted.kind) {
    case ReadyWhen::Kind::ssh:
      return {"is an ssh server installed there, and started at boot? " + look_inside +
              " leads in without one"};
    case ReadyWhen::Kind::agent:
      return {"is qemu-guest-agent installed there, and started at boot? `qlaunch console " + vm +
              "` leads in without it"};
    case ReadyWhen::Kind::port:
      return {"does its server listen on port " + std::to_string(wanted.port) + "? " + look_inside +
              " leads in"};
    case ReadyWhen::Kind::provisioned:
      return {"what it was told may take longer than `timeout` in [ready]; " + look_inside +
              " leads in"};
    case ReadyWhen::Kind::serial:
      return {
          "the text in [ready] is compared byte by byte; the console of the kernel's command "
          "line has to be this serial port"};
    case ReadyWhen::Kind::started:
      break;
  }
  return {};
}

}  // namespace

std::vector<std::string> boot_advice(const BootSeen& seen, const ReadyWhen& wanted,
                                     const std::string& vm) {
  if (auto advice = advice_on_trouble(seen, vm); !advice.empty()) return advice;
  std::vector<std::string> advice{how_far(seen)};
  if (seen.agent) advice.front() = "its agent answers: its system is up";
  const bool up = seen.agent || seen.stage == BootStage::login;
  if (up) {
    for (auto& more : advice_on_system(seen, wanted, vm)) advice.push_back(std::move(more));
    return advice;
  }
  switch (seen.stage) {
    case BootStage::silent:
      advice.push_back("`qlaunch view " + vm +
                       "` shows its screen; a Linux guest speaks here where console=ttyS0 is on "
                       "its kernel's command line");
      break;
    case BootStage::firmware:
    case BootStage::something:
      advice.push_back("`qlaunch view " + vm + "` shows its screen");
      break;
    case BootStage::boot_loader:
      advice.push_back("it may wait for a key: `qlaunch console " + vm + "` takes one");
      break;
    case BootStage::kernel:
    case BootStage::userspace:
      advice.emplace_back(
          "it may only need longer: `timeout` in [ready], or `--timeout`; with an emulated CPU it "
          "takes many times as long as with KVM");
      break;
    case BootStage::login:
      break;
  }
  return advice;
}

}  // namespace qlaunch
