// SPDX-License-Identifier: MIT
#include "plan/devices.hpp"

#include "core/quote.hpp"

namespace qlaunch::planner {

namespace {

void add_watchdog(Draft& draft) {
  std::string action;
  switch (draft.profile.machine.watchdog) {
    case Watchdog::none:
      return;
    case Watchdog::reset:
      action = "reset";
      break;
    case Watchdog::shutdown:
      action = "shutdown";
      break;
    case Watchdog::poweroff:
      action = "poweroff";
      break;
    case Watchdog::pause:
      action = "pause";
      break;
    case Watchdog::inject_nmi:
      action = "inject-nmi";
      break;
  }
  if (draft.board == Board::microvm) return draft.not_on_microvm("machine.watchdog", "a watchdog");
  draft.device({{"driver", "i6300esb"}, {"id", "watchdog"}},
               draft.because("machine.watchdog", "Linux and Windows have a driver for this one"),
               "machine.watchdog");
  draft.option({"-action", "watchdog=" + action},
               draft.because("machine.watchdog", "what happens when the guest stops feeding it"));
}

void add_usb(Draft& draft) {
  const auto& all = draft.profile.usb;
  for (std::size_t index = 0; index < all.size(); ++index) {
    const auto& usb = all[index];
    const auto key = key_of("usb", index);
    if (draft.board == Board::microvm) return draft.not_on_microvm(key, "USB");
    const auto reason = draft.because(key, "a USB device of the profile");
    const auto bus = draft.usb_bus(reason, key);
    const auto id = "usb" + std::to_string(index);
    if (usb.device == "host") {
      Value device{{"driver", "usb-host"}, {"id", id}, {"bus", bus}};
      if (usb.vendor) device["vendorid"] = *usb.vendor;
      if (usb.product) device["productid"] = *usb.product;
      draft.device(device, {reason.where, "handed through whenever it is plugged in"}, key);
    } else {
      const std::string driver = usb.device == "keyboard" ? "usb-kbd" : "usb-" + usb.device;
      draft.device({{"driver", driver}, {"id", id}, {"bus", bus}}, reason, key);
    }
  }
}

}  // namespace

void add_devices(Draft& draft) {
  const auto& machine = draft.profile.machine;
  if (draft.board == Board::q35) {
    for (std::int64_t port = 1; port <= machine.hotplug_ports; ++port) {
      draft.device({{"driver", "pcie-root-port"},
                    {"id", "hotplug" + std::to_string(port)},
                    {"bus", "pcie.0"},
                    {"chassis", port},
                    {"slot", port}},
                   draft.because("machine.hotplug_ports",
                                 "PCI Express takes a device at run time only behind a free root "
                                 "port"),
                   "machine.hotplug_ports");
    }
  }
  if (machine.rng) {
    draft.object({{"qom-type", "rng-builtin"}, {"id", "rng0"}},
                 draft.because("machine.rng", "random bytes from the host's kernel"));
    draft.device({{"driver", draft.virtio("virtio-rng")}, {"id", "rng"}, {"rng", "rng0"}},
                 draft.because("machine.rng",
                               "a guest without entropy hangs at boot, at ssh's keys "
                               "for one"),
                 "machine.rng");
  }
  // What a guest gives back would be cut out of the file that other runs have their memory from.
  if (machine.balloon && !draft.input.warm) {
    draft.device({{"driver", draft.virtio("virtio-balloon")},
                  {"id", "balloon"},
                  {"deflate-on-oom", true},
                  {"free-page-reporting", true}},
                 draft.because("machine.balloon",
                               "memory that the guest no longer uses goes back to "
                               "the host"),
                 "machine.balloon");
  }
  if (draft.input.warm && draft.board != Board::microvm &&
      draft.facts.qemu.devices.contains("vmgenid")) {
    draft.device({{"driver", "vmgenid"}, {"id", "generation"}, {"guid", "auto"}},
                 draft.because("start.warm",
                               "tells the guest that it is one of several: its random numbers "
                               "begin anew"),
                 "start.warm");
  }
  if (draft.board != Board::microvm) {
    draft.device({{"driver", "pvpanic"}, {"id", "panic"}},
                 Draft::by_rule("a crash of the guest's kernel becomes an event"), "machine");
    draft.option({"-action", "panic=none"},
                 Draft::by_rule("told, not acted upon: QEMU's default would end the VM, and the "
                                "guest may want to write a dump and reboot"));
  }
  add_watchdog(draft);
  add_usb(draft);
}

}  // namespace qlaunch::planner
