// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "core/text.hpp"
#include "profile/check.hpp"
#include "profile/complete.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

bool told_by(const Guest& guest, GuestVia via) {
  return std::find(guest.via.begin(), guest.via.end(), via) != guest.via.end();
}

void check_ready_rule(Checker& checker) {
  const auto& profile = checker.profile();
  const auto& when = profile.ready.when;
  if (!checker.is_set("ready.when")) return;
  const auto unreachable = [&](std::uint16_t port, const std::string& waiting) {
    const auto number = std::to_string(port);
    checker.error("ready.when", waiting + ", and nothing leads to port " + number + " of the guest",
                  "add forward = [\"auto:" + number + "\"] to a [[network]] of mode \"user\"");
  };
  switch (when.kind) {
    case ReadyWhen::Kind::ssh:
      if (!reachable(profile, 22)) unreachable(22, "ready is to wait for ssh");
      break;
    case ReadyWhen::Kind::port:
      if (when.port != 0 && !reachable(profile, when.port))
        unreachable(when.port, "ready is to wait for a port");
      break;
    case ReadyWhen::Kind::serial:
      if (profile.serial.type == SerialType::none)
        checker.clash("ready.when", "ready is to wait for the serial console, and there is none",
                      "serial.type", "switched off here", "write type = \"isa\" in [serial]");
      break;
    case ReadyWhen::Kind::agent:
      if (!profile.machine.guest_agent)
        checker.clash("ready.when", "ready is to wait for the guest agent, which has no channel",
                      "machine.guest_agent", "switched off here",
                      "write guest_agent = true in [machine]");
      break;
    case ReadyWhen::Kind::provisioned:
      if (!profile.guest.present)
        checker.error("ready.when", "nothing is provisioned: there is no [guest]",
                      "add a [guest], or wait for \"ssh\", \"agent\" or \"started\"");
      else if (!told_by(profile.guest, GuestVia::volume))
        checker.clash("ready.when", "only a guest that is told by the volume tells when it is done",
                      "guest.via", "left out here", "add \"volume\" to `via`, or wait for \"ssh\"");
      else if (!profile.guest.user_data_merged && !profile.guest.user_data.empty())
        checker.clash("ready.when",
                      "a `user_data` that is not merged does not tell when it is done",
                      "guest.user_data_merged", "switched off here",
                      "leave it out, or wait for \"ssh\" or \"serial:TEXT\"");
      break;
    case ReadyWhen::Kind::started:
      break;
  }
}

bool is_window(DisplayType type) {
  return type == DisplayType::gtk || type == DisplayType::sdl;
}

void check_display(Checker& checker) {
  const auto& display = checker.profile().display;
  const bool server = display.type == DisplayType::spice || display.type == DisplayType::vnc;
  if (checker.is_set("display.listen") && !server)
    checker.error("display.listen", "`listen` needs a display that listens",
                  "write type = \"spice\" or \"vnc\"");
  if (display.type == DisplayType::vnc && !display.listen.empty()) {
    // QEMU counts displays from port 5900 on.
    const auto port = parse_unsigned(display.listen.substr(display.listen.rfind(':') + 1));
    if (port && *port < 5900)
      checker.error("display.listen", "a VNC display has port 5900 or higher",
                    "write " +
                        toml_quote(display.listen.substr(0, display.listen.rfind(':')) + ":5900") +
                        " or another");
  }
  if (display.fullscreen && !is_window(display.type) && display.type != DisplayType::automatic)
    checker.error("display.fullscreen", "only a window can fill the screen",
                  "write type = \"gtk\" or \"sdl\", or leave `fullscreen` out");
  if (display.gpu == Gpu::virtio_gl &&
      (display.type == DisplayType::vnc || display.type == DisplayType::curses ||
       display.type == DisplayType::none))
    checker.error("display.gpu", "`virtio-gl` needs a display that draws with OpenGL",
                  "write type = \"gtk\", \"sdl\" or \"spice\", or gpu = \"virtio\"");
}

}  // namespace

void check_devices(Checker& checker) {
  const auto& profile = checker.profile();
  check_display(checker);
  if (profile.audio.driver == "spice" && profile.display.type != DisplayType::spice)
    checker.error("audio.driver", "sound by SPICE needs a SPICE display",
                  "write type = \"spice\" in [display], or another driver");
  for (std::size_t index = 0; index < profile.usb.size(); ++index) {
    const auto& usb = profile.usb[index];
    const auto at = indexed("usb", index);
    if (usb.device == "host") {
      if (!checker.is_set(at + ".vendor") || !checker.is_set(at + ".product"))
        checker.error(at, "a host's USB device is named by vendor and product",
                      "add both as `lsusb` shows them, as in vendor = 0x1050, product = 0x0407");
    } else if (!usb.device.empty()) {
      checker.useless(at, {"vendor", "product"}, "for a " + usb.device + " that QEMU emulates",
                      "write device = \"host\", or remove it");
    }
  }
  const auto& args = profile.qemu.args;
  const auto found = std::find(args.begin(), args.end(), "-daemonize");
  if (found != args.end())
    checker.error(indexed("qemu.args", static_cast<std::size_t>(found - args.begin())),
                  "`-daemonize` takes QEMU out of sight",
                  "leave it out: `qlaunch up` returns as soon as the guest is ready");
}

void check_guest(Checker& checker) {
  const auto& guest = checker.profile().guest;
  if (!checker.is_set("guest.user")) {
    std::vector<std::string> given;
    if (guest.uid) given.emplace_back("uid");
    if (!guest.groups.empty()) given.emplace_back("groups");
    if (guest.shell != Guest().shell) given.emplace_back("shell");
    if (!guest.sudo) given.emplace_back("sudo");
    for (const auto& key : given) {
      checker.error("guest." + key, in_backticks(key) + " belongs to a user, and there is none",
                    "add a line such as: user = \"nixos\"");
    }
    for (std::size_t index = 0; index < guest.run.size(); ++index) {
      if (guest.run[index].as == RunAs::user)
        checker.error(indexed("guest.run", index) + ".as",
                      "a script is to run as the user, and there is none",
                      "add `user` to [guest], or write as = \"root\"");
    }
  }
  if (guest.user == "root") {
    for (const auto* key : {"uid", "groups", "shell"}) {
      if (checker.is_set(std::string("guest.") + key))
        checker.error(std::string("guest.") + key,
                      in_backticks(key) + " cannot be chosen for root, who is there already",
                      "remove it, or give the user another name");
    }
  }
  const auto& shares = checker.profile().shares;
  for (std::size_t index = 0; index < shares.size(); ++index) {
    if (!shares[index].mount.empty() && !told_by(guest, GuestVia::volume))
      checker.warning(indexed("share", index) + ".mount",
                      "nobody tells the guest to mount the share here",
                      "add \"volume\" to `via` in [guest], or mount it in the guest yourself");
  }
  if (!guest.user_data_merged && guest.user_data.empty())
    checker.error("guest.user_data_merged", "`user_data_merged` means nothing without `user_data`",
                  "remove it, or add a line such as: user_data = \"user-data.yaml\"");
  for (std::size_t index = 0; index < guest.files.size(); ++index) {
    const auto at = indexed("guest.file", index);
    if (checker.is_set(at + ".source") && checker.is_set(at + ".content"))
      checker.clash(at + ".source", "a file has its content from one place", at + ".content",
                    "the other one", "keep one of them");
  }
  check_ready_rule(checker);
}

}  // namespace qlaunch
