// SPDX-License-Identifier: MIT
#include "plan/guest_identity.hpp"

#include "core/quote.hpp"
#include "core/units.hpp"
#include "plan/base64.hpp"
#include "plan/identity.hpp"

namespace qlaunch::planner {

namespace {

/// An SMBIOS string ends at a zero byte and systemd reads it as a line: anything but plain text
/// goes as base64.
std::string credential_text(const std::string& name, const std::string& value) {
  bool plain = true;
  for (const char character : value) plain = plain && character >= ' ' && character <= '~';
  return plain ? "io.systemd.credential:" + name + '=' + value
               : "io.systemd.credential.binary:" + name + '=' + base64(value);
}

void add_system(Draft& draft) {
  const auto& smbios = draft.profile.machine.smbios;
  std::string text = "type=1";
  const auto set = [&text](const char* name, const std::string& value) {
    if (!value.empty()) text += ',' + std::string(name) + '=' + escape_commas(value);
  };
  set("manufacturer", smbios.manufacturer);
  set("product", smbios.product);
  set("version", smbios.version);
  set("serial", smbios.serial);
  set("sku", smbios.sku);
  set("family", smbios.family);
  if (text == "type=1") return;
  draft.option({"-smbios", text},
               draft.because("machine.smbios", "what the guest reads as its maker and model"));
}

void add_credentials(Draft& draft) {
  // SMBIOS tables are addressed with 16 bits.
  constexpr std::size_t room = 64 * kib;
  std::size_t used = 0, number = 0;
  for (const auto& [name, value] : draft.profile.guest.credentials) {
    const auto key = "guest.credentials." + name;
    const auto text = credential_text(name, value);
    used += text.size() + 1;
    const auto path = draft.plan.paths.runtime + "/credential" + std::to_string(number++);
    draft.prepare({WriteFile{path, text},
                   draft.because(key,
                                 "by file, so that it stands in no process list; no newline at "
                                 "its end, which would become part of the value")});
    draft.option({"-smbios", "type=11,path=" + escape_commas(path)},
                 draft.because(key, "systemd in the guest reads credentials from SMBIOS strings"));
  }
  if (used > room) {
    draft.error("guest.credentials", "the credentials take " + std::to_string(used) +
                                         " bytes, and SMBIOS has room for 64 KiB");
  }
}

}  // namespace

void add_guest_identity(Draft& draft) {
  const auto& uuid = draft.profile.machine.uuid;
  if (uuid.empty()) {
    draft.option({"-uuid", derived_uuid(draft.identity(), draft.facts.machine_id)},
                 Draft::by_rule("follows from the VM's name and this host, so that it stays the "
                                "same: guests tie licences and leases to it"));
  } else {
    draft.option({"-uuid", uuid}, draft.because("machine.uuid", "the identity of the profile"));
  }
  add_system(draft);
  add_credentials(draft);
}

}  // namespace qlaunch::planner
