// SPDX-License-Identifier: MIT
#include "plan/display.hpp"

#include "core/packages.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"

#include <optional>

namespace qlaunch::planner {

namespace {

bool is_window(DisplayType type) {
  return type == DisplayType::gtk || type == DisplayType::sdl;
}

DisplayType resolve_automatic(Draft& draft) {
  if (!draft.facts.desktop) return DisplayType::none;
  const auto& displays = draft.facts.qemu.displays;
  if (displays.empty() || displays.contains("gtk")) return DisplayType::gtk;
  if (displays.contains("sdl")) return DisplayType::sdl;
  draft.warning("display.type", "this QEMU cannot open a window: the guest runs without one")
      .help.push_back(install_help("gtk"));
  return DisplayType::none;
}

void check_type(Draft& draft, DisplayType type) {
  const auto& qemu = draft.facts.qemu;
  const std::string word(word_of(type));
  const bool module = is_window(type) || type == DisplayType::curses;
  if ((module && !qemu.displays.empty() && !qemu.displays.contains(word)) ||
      (type == DisplayType::spice && !qemu.spice)) {
    draft.error("display.type", "this QEMU has no display " + in_backticks(word))
        .help.push_back(install_help(word));
    return;
  }
  if (is_window(type) && !draft.facts.desktop) {
    draft
        .error("display.type",
               "display " + in_backticks(word) +
                   " opens a window, and neither DISPLAY nor WAYLAND_DISPLAY is set")
        .help.emplace_back("use type = \"auto\": a window on a desktop, none without one");
  }
}

struct Address {
  std::string host;
  unsigned long long port = 0;
};

/// "127.0.0.1:5930", "[::1]:5930".
std::optional<Address> parse_address(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_unsigned(text.substr(colon + 1));
  auto host = text.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  if (!port || *port == 0 || *port > 65535 || host.empty()) return std::nullopt;
  return Address{std::string(host), *port};
}

/// Where to listen; nothing for a private socket or after an error.
std::optional<Address> listen_address(Draft& draft) {
  const auto& text = draft.profile.display.listen;
  if (text.empty()) return std::nullopt;
  auto address = parse_address(text);
  if (!address) {
    draft.error("display.listen", in_backticks(text) + " is not an address and port")
        .help.emplace_back("write it as in \"127.0.0.1:5930\"");
    return std::nullopt;
  }
  if (!address->host.starts_with("127.") && address->host != "::1" &&
      address->host != "localhost") {
    draft
        .warning("display.listen",
                 "the guest's screen is open to whoever reaches " + in_backticks(text))
        .help.emplace_back("there is no password: listen on 127.0.0.1 and use ssh -L to get there");
  }
  return address;
}

void add_spice(Draft& draft, bool gl) {
  const auto address = listen_address(draft);
  std::string text;
  if (address) {
    text = "addr=" + escape_commas(address->host) + ",port=" + std::to_string(address->port);
    const bool v6 = address->host.find(':') != std::string::npos;
    draft.plan.spice_address = "spice://" + (v6 ? '[' + address->host + ']' : address->host) + ':' +
                               std::to_string(address->port);
  } else {
    const auto path = draft.socket_path("spice.sock");
    text = "unix=on,addr=" + escape_commas(path);
    draft.plan.spice_address = "spice+unix://" + path;
  }
  text += ",disable-ticketing=on";
  if (gl && !address) text += ",gl=on";
  draft.option({"-spice", text},
               draft.because(address ? "display.listen" : "display.type",
                             address ? "no password: whoever may use this host's loopback may look"
                                     : "no password: only this user reaches the socket"));
}

Value display_value(const Draft& draft, DisplayType type, bool gl) {
  Value value{{"type", is_window(type) || type == DisplayType::curses ? word_of(type) : "none"}};
  if (is_window(type)) {
    value["window-close"] = false;
    if (draft.profile.display.fullscreen) value["full-screen"] = true;
    if (gl) value["gl"] = "on";
    return value;
  }
  // Spice has GL over its Unix socket only, and vnc none: rendered without a window then.
  const bool spice_gl = type == DisplayType::spice && draft.profile.display.listen.empty();
  if (gl && !spice_gl) value["type"] = "egl-headless";
  return value;
}

void add_screen(Draft& draft, DisplayType type, bool gl) {
  const auto value = display_value(draft, type, gl);
  std::string rule = "no window of QEMU's own";
  if (is_window(type)) rule = "closing the window does not end the VM";
  if (type == DisplayType::curses) rule = "the guest's text screen on the terminal";
  if (value.at("type").text() == "egl-headless") {
    rule = "3D is rendered without a window";
    if (!draft.facts.qemu.displays.empty() && !draft.facts.qemu.displays.contains("egl-headless")) {
      draft.error("display.gpu", "3D without a window needs QEMU's display `egl-headless`")
          .help.push_back(install_help("egl-headless"));
    }
  }
  const bool automatic = draft.profile.display.type == DisplayType::automatic;
  if (automatic)
    rule += draft.facts.desktop ? "; auto: there is a desktop" : "; auto: no desktop here";
  draft.json_option("-display", value, draft.because("display.type", rule));
  if (type == DisplayType::spice) add_spice(draft, gl);
  if (is_window(type)) {
    draft.plan.qemu.variables.push_back(
        {"DBUS_SESSION_BUS_ADDRESS", "disabled:",
         Draft::by_rule("without a session bus, GTK and SDL would start dbus-launch, and the "
                        "sandbox's spawn=deny ends QEMU for that (SIGSYS)")});
  }
}

void add_vnc(Draft& draft, DisplayType type) {
  const auto path = draft.socket_path("vnc.sock");
  draft.plan.vnc_socket = path;
  draft.option(
      {"-vnc", "unix:" + escape_commas(path) + ",share=ignore"},
      Draft::by_rule("a private socket (0600), by which a VNC viewer can show any VM, also one "
                     "started without a window; viewers do not push each other out"));
  if (type != DisplayType::vnc) return;
  const auto address = listen_address(draft);
  if (!address) return;
  constexpr unsigned long long first_port = 5900;
  if (address->port < first_port) {
    draft
        .error("display.listen", "VNC counts displays from port 5900 upwards, and " +
                                     std::to_string(address->port) + " is below")
        .help.emplace_back("use a port from 5900");
    return;
  }
  const bool v6 = address->host.find(':') != std::string::npos;
  draft.option({"-vnc", escape_commas(v6 ? '[' + address->host + ']' : address->host) + ':' +
                            std::to_string(address->port - first_port) + ",share=ignore"},
               draft.because("display.listen", "VNC takes the port less 5900"));
}

void add_clipboard(Draft& draft, DisplayType type) {
  if (!draft.profile.display.clipboard) return;
  const bool spice = type == DisplayType::spice;
  draft.option({"-chardev", spice ? "spicevmc,id=vdagent,name=vdagent"
                                  : "qemu-vdagent,id=vdagent,clipboard=on"},
               draft.because("display.clipboard", spice ? "the viewer and the guest's vdagent talk "
                                                          "through spice"
                                                        : "QEMU itself plays the host's side of "
                                                          "vdagent"));
  draft.device(
      {{"driver", "virtserialport"},
       {"id", "vdagent-port"},
       {"bus", draft.serial_bus()},
       {"chardev", "vdagent"},
       {"name", "com.redhat.spice.0"}},
      draft.because("display.clipboard", "the name under which spice-vdagent looks for it"),
      "display.clipboard");
}

const char* gpu_device(Gpu gpu) {
  switch (gpu) {
    case Gpu::virtio:
      return "virtio-vga";
    case Gpu::virtio_gl:
      return "virtio-vga-gl";
    case Gpu::qxl:
      return "qxl-vga";
    case Gpu::standard:
      return "VGA";
    case Gpu::none:
      break;
  }
  return "";
}

}  // namespace

void add_display(Draft& draft) {
  const auto& display = draft.profile.display;
  auto type = display.type;
  auto gpu = display.gpu;
  if (draft.board == Board::microvm) {
    if (draft.profile.is_set("display.gpu") && gpu != Gpu::none)
      draft.not_on_microvm("display.gpu", "a graphics card");
    if (draft.profile.is_set("display.type") && type != DisplayType::automatic &&
        type != DisplayType::none)
      draft.not_on_microvm("display.type", "a display");
    type = DisplayType::none;
    gpu = Gpu::none;
  }
  if (type == DisplayType::automatic)
    type = gpu == Gpu::none ? DisplayType::none : resolve_automatic(draft);
  check_type(draft, type);
  draft.plan.display = type;
  const bool gl = gpu == Gpu::virtio_gl;
  add_screen(draft, type, gl);
  if (gpu == Gpu::none) return;
  draft.device({{"driver", gpu_device(gpu)}, {"id", "gpu"}},
               draft.because("display.gpu",
                             "the guest's graphics card, with a text mode for the "
                             "firmware"),
               "display.gpu");
  add_vnc(draft, type);
  add_clipboard(draft, type);
  if (type == DisplayType::none || type == DisplayType::curses) return;
  const auto bus = draft.usb_bus(draft.because("display.type", ""), "display.type");
  draft.device({{"driver", "usb-tablet"}, {"id", "tablet"}, {"bus", bus}},
               draft.because("display.type",
                             "a pointer with absolute positions: it follows the "
                             "host's and needs no grab"),
               "display.type");
}

}  // namespace qlaunch::planner
