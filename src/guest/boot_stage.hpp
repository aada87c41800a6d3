// SPDX-License-Identifier: MIT
// How far a guest has come in its boot, recognised from what it writes on its serial port, and what
// to try where it does not come further. Reads text; watches nothing.
#pragma once

#include "profile/profile.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

enum class BootStage {
  silent,       // nothing came
  something,    // nothing that is known
  firmware,     // UEFI; a BIOS says nothing here
  boot_loader,  // GRUB, systemd-boot, the kernel's own EFI stub
  kernel,
  userspace,  // an initrd, or the system itself
  login       // a prompt
};

/// Why it comes no further, where it says so.
enum class BootTrouble {
  none,
  nothing_to_boot,  // the firmware found no system
  no_root,          // the kernel or the initrd did not find the disk with the system
  panic,
  emergency,  // a shell for repairs
  no_memory
};

struct BootSeen {
  BootStage stage = BootStage::silent;
  BootTrouble trouble = BootTrouble::none;
  std::string said;    // the guest's own words about the trouble
  bool agent = false;  // the guest agent has opened its channel

  bool operator==(const BootSeen&) const = default;
};

/// Takes what comes, in pieces of any size. A guest that boots anew begins anew.
class BootReader {
 public:
  void feed(std::string_view bytes);
  /// With what a line says that has not ended yet, as a prompt never does.
  BootSeen seen() const;

 private:
  void read(std::string_view line);
  void reach(BootStage stage, bool anew);
  void fail(BootTrouble trouble, std::string_view line);

  std::string line_;  // that has not ended yet
  BootSeen seen_;
};

/// "its kernel boots"; empty where nothing is worth a word.
std::string boot_words(const BootSeen& seen);

/// What to try, after the time for `wanted` is over; sentences, the best first. `vm` is quoted for
/// a shell.
std::vector<std::string> boot_advice(const BootSeen& seen, const ReadyWhen& wanted,
                                     const std::string& vm);

}  // namespace qlaunch
