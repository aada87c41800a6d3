// SPDX-License-Identifier: MIT
#include "profile/reader.hpp"
#include "profile/sections.hpp"
#include "profile/syntax.hpp"

namespace qlaunch {

Section display_section() {
  return {
      .path = "display",
      .meaning = "Screen and graphics card. A VM without a window can still be looked at.",
      .keys =
          {
              {.name = "type",
               .type = KeyType::choice,
               .meaning = "Where the screen is shown.",
               .fallback = "\"auto\"",
               .example = "type = \"gtk\"",
               .choices = {{"auto", int(DisplayType::automatic),
                            "gtk on a desktop, none without one"},
                           {"gtk", int(DisplayType::gtk), "a window"},
                           {"sdl", int(DisplayType::sdl), "a window"},
                           {"spice", int(DisplayType::spice), "a SPICE server"},
                           {"vnc", int(DisplayType::vnc), "a VNC server"},
                           {"curses", int(DisplayType::curses), "text in the terminal"},
                           {"none", int(DisplayType::none), "nowhere"}},
               .starter = "\"auto\"",
               .set = to(&Display::type)},
              {.name = "gpu",
               .type = KeyType::choice,
               .meaning = "The graphics card.",
               .fallback = "\"virtio\"",
               .example = "gpu = \"qxl\"",
               .choices = {{"virtio", int(Gpu::virtio), "virtio-vga"},
                           {"virtio-gl", int(Gpu::virtio_gl),
                            "virtio-vga-gl: 3D by the host's OpenGL; blocks live snapshots"},
                           {"qxl", int(Gpu::qxl), "for SPICE"},
                           {"std", int(Gpu::standard), "plain VGA"},
                           {"none", int(Gpu::none), "no card"}},
               .set = to(&Display::gpu)},
              {.name = "clipboard",
               .type = KeyType::boolean,
               .meaning = "The channel by which a vdagent in the guest shares the clipboard.",
               .fallback = "false",
               .example = "clipboard = true",
               .set = to(&Display::clipboard)},
              {.name = "listen",
               .meaning = "spice and vnc: the address and port to listen on.",
               .fallback_words = "a private Unix socket",
               .example = "listen = \"127.0.0.1:5930\"",
               .form = check_peer,
               .set = to(&Display::listen)},
              {.name = "fullscreen",
               .type = KeyType::boolean,
               .meaning = "gtk and sdl: begin in full screen.",
               .fallback = "false",
               .example = "fullscreen = true",
               .set = to(&Display::fullscreen)},
          },
      .object = [](Profile& profile) -> void* { return &profile.display; },
  };
}

Section serial_section() {
  return {
      .path = "serial",
      .meaning = "The serial console.",
      .keys =
          {
              {.name = "type",
               .type = KeyType::choice,
               .meaning = "The serial port that the guest sees.",
               .fallback = "\"isa\"",
               .example = "type = \"virtio\"",
               .choices = {{"isa", int(SerialType::isa), "a 16550: ttyS0"},
                           {"virtio", int(SerialType::virtio), "a virtio console: hvc0"},
                           {"none", int(SerialType::none), "none"}},
               .set = to(&Serial::type)},
              {.name = "log",
               .type = KeyType::boolean,
               .meaning = "Whether all that the guest writes is kept in a log.",
               .fallback = "true",
               .example = "log = false",
               .set = to(&Serial::log)},
          },
      .object = [](Profile& profile) -> void* { return &profile.serial; },
  };
}

Section audio_section() {
  return {
      .path = "audio",
      .meaning = "Sound.",
      .keys =
          {
              {.name = "driver",
               .type = KeyType::choice,
               .meaning = "What plays on the host.",
               .fallback = "\"none\"",
               .example = "driver = \"pipewire\"",
               .choices = {{"none", 0, "no sound card"},
                           {"pipewire", 1, "PipeWire; QEMU 8.1 or newer"},
                           {"pa", 2, "PulseAudio"},
                           {"alsa", 3, "ALSA"},
                           {"jack", 4, "JACK"},
                           {"oss", 5, "OSS"},
                           {"sdl", 6, "SDL"},
                           {"spice", 7, "the SPICE viewer"},
                           {"dbus", 8, "QEMU's D-Bus display"}},
               .set = to(&Audio::driver)},
              {.name = "model",
               .type = KeyType::choice,
               .meaning = "The sound card.",
               .fallback = "\"hda\"",
               .example = "model = \"virtio\"",
               .choices = {{"hda", 0, "Intel HDA"},
                           {"ac97", 1, "for old guests"},
                           {"virtio", 2, "virtio-sound; QEMU 8.2 or newer"}},
               .set = to(&Audio::model)},
          },
      .object = [](Profile& profile) -> void* { return &profile.audio; },
  };
}

Section usb_section() {
  const auto id = [](std::string_view name, std::string_view meaning, std::string_view example,
                     std::optional<std::int64_t> Usb::*member) {
    return Key{.name = name,
               .type = KeyType::integer,
               .meaning = meaning,
               .fallback_words = "none",
               .example = example,
               .lowest = 0,
               .highest = 0xffff,
               .set = to(member)};
  };
  return {
      .path = "usb",
      .shape = SectionShape::list,
      .meaning = "USB devices, on an xHCI controller of their own.",
      .keys =
          {
              {.name = "device",
               .type = KeyType::choice,
               .meaning = "What is plugged in.",
               .example = "device = \"tablet\"",
               .choices = {{"tablet", 0, "a pointer that follows the window's"},
                           {"keyboard", 1},
                           {"mouse", 2},
                           {"host", 3, "a device of the host's, by vendor and product"}},
               .required = true,
               .set = to(&Usb::device)},
              id("vendor", "device = \"host\": the vendor's number, as `lsusb` shows it.",
                 "vendor = 0x1050", &Usb::vendor),
              id("product", "device = \"host\": the product's number.", "product = 0x0407",
                 &Usb::product),
          },
      .object = [](Profile& profile) -> void* { return &profile.usb.emplace_back(); },
  };
}

}  // namespace qlaunch
