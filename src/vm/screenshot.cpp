// SPDX-License-Identifier: MIT
#include "vm/screenshot.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "vm/live.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

namespace qlaunch {
namespace {

/// Gone at the end, whatever happens.
struct Temporary {
  std::string path;
  ~Temporary() { unlink(path.c_str()); }
};

}  // namespace

std::string take_screenshot(const std::string& name) {
  const auto live = require_running(name);
  if (live.plan.vnc_socket.empty())
    throw StateError("VM " + in_backticks(name) + " has no graphics card, so there is no picture")
        .help(
            "set `gpu = \"virtio\"` in [display]; what it says on its serial port is in `qlaunch "
            "log " +
            shell_quote(name) + '`');
  // QEMU writes it, where only this user and qlaunch look; what becomes of it is not QEMU's matter.
  const Temporary picture{live.plan.paths.runtime + "/screenshot-" + std::to_string(getpid())};
  const nlohmann::json arguments = {{"filename", picture.path}, {"format", "png"}};
  try {
    CommandSocket socket(live);
    socket.client().execute("screendump", arguments);
  } catch (const qmp::Refused& error) {
    throw Error("QEMU takes no picture of VM " + in_backticks(name) + ": " + error.desc());
  }
  auto bytes = read_file(picture.path);
  if (!bytes.starts_with("\x89PNG"))
    throw Error("QEMU took a picture of VM " + in_backticks(name) + ", but it is no PNG file");
  return bytes;
}

}  // namespace qlaunch
