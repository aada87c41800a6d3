// SPDX-License-Identifier: MIT
#include "cli/view.hpp"

#include "cli/options.hpp"
#include "cli/viewer.hpp"
#include "core/packages.hpp"
#include "core/quote.hpp"
#include "host/paths.hpp"
#include "host/spawn.hpp"
#include "vm/catalog.hpp"
#include "vm/journal.hpp"
#include "vm/live.hpp"
#include "vm/relay.hpp"

#include <cstdlib>
#include <filesystem>
#include <optional>

#include <nlohmann/json.hpp>

#include <sys/wait.h>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

bool has_desktop() {
  return !environment_value("WAYLAND_DISPLAY").empty() || !environment_value("DISPLAY").empty();
}

void print_addresses(const Plan& plan, bool json, const Terminal& terminal) {
  if (json) {
    Json out;
    out["vnc_socket"] = plan.vnc_socket;
    out["spice_address"] = plan.spice_address.empty() ? Json() : Json(plan.spice_address);
    terminal.print(out.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
    return;
  }
  terminal.print(plan.vnc_socket + '\n');
  if (!plan.spice_address.empty()) terminal.print(plan.spice_address + '\n');
}

void add_addresses(Error& error, const Plan& plan) {
  error.help("its VNC socket is " + plan.vnc_socket);
  if (!plan.spice_address.empty()) error.help("its SPICE address is " + plan.spice_address);
}

std::string replaced(std::string word, std::string_view mark, const std::string& value) {
  if (const auto at = word.find(mark); at != std::string::npos)
    word.replace(at, mark.size(), value);
  return word;
}

/// Until the viewer is closed; its wait status.
int show(const Viewer& viewer, const Plan& plan, const std::string& log) {
  SpawnOptions how;
  std::optional<Relay> relay;
  if (viewer.needs_port) relay.emplace(plan.vnc_socket);
  for (auto word : viewer.argv) {
    if (relay) {
      word = replaced(std::move(word), "%p", std::to_string(relay->port()));
      word = replaced(std::move(word), "%d", std::to_string(relay->port() - 5900));
    }
    how.argv.push_back(std::move(word));
  }
  // Viewers talk much, and only sometimes to the purpose.
  how.stdout_path = log;
  how.stderr_path = log;
  const auto child = spawn(how);
  if (relay) relay->serve(child.pidfd.get());
  return reap(child, std::chrono::steady_clock::time_point::max()).value_or(0);
}

}  // namespace

void add_view(CLI::App& app, ViewOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_flag(app, options.print, "--print", "only print where its screen can be seen");
  add_json(app, options.json, "the same as an object; the keys are below");
}

int view(const ViewOptions& options, Terminal& terminal) {
  const auto name = find_vm(options.vm);
  const auto live = require_running(name);
  const auto& plan = live.plan;
  if (plan.vnc_socket.empty())
    throw StateError("VM " + in_backticks(name) +
                     " has no graphics card, so there is nothing to "
                     "see")
        .help("`qlaunch console " + shell_quote(name) + "` is its serial port")
        .help("set `gpu = \"virtio\"` in [display] for a picture");
  if (options.print || options.json) {
    print_addresses(plan, options.json, terminal);
    return 0;
  }
  if (!has_desktop()) {
    Error error("a viewer needs a desktop, and neither DISPLAY nor WAYLAND_DISPLAY is set");
    add_addresses(error, plan);
    error.help("from another machine, with the name of this one for HOST:");
    error.help(std::string(command_mark) + "ssh -NL 5901:" + shell_quote(plan.vnc_socket) +
               " HOST");
    throw std::move(error).help("and then a VNC viewer there on localhost:5901");
  }
  const auto viewer = find_viewer(plan);
  if (viewer.argv.empty()) {
    Error error("no program to see the screen with is installed");
    error.help(install_help("vnc-viewer"));
    add_addresses(error, plan);
    throw error;
  }
  const auto log = log_path(plan.paths, "viewer");
  std::error_code ignored;
  std::filesystem::remove(log, ignored);
  const int status = show(viewer, plan, log);
  if (!alive(live.qemu)) {
    terminal.say(name + " has ended\n");
    return 0;
  }
  if (status != 0) {
    Error error(viewer.argv.front() + (WIFSIGNALED(status) ? " was " : " ended with ") +
                describe_exit(status));
    if (const auto said = last_lines(log, 5); !said.empty()) error.help("it said:\n" + said);
    throw error;
  }
  return 0;
}

}  // namespace qlaunch
