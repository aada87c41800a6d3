// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/provision.hpp"
#include "host/files.hpp"
#include "vm/waiting.hpp"

#include <array>

#include <sys/inotify.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr std::size_t most_of_log = std::size_t{64} << 20;

Provision look_at(const std::string& path) {
  return path.empty() ? Provision{}
                      : parse_provision(try_read_file(path, most_of_log).value_or(""));
}

/// A guest that has no driver for the port says it on its console.
Provision look_at_both(const Plan& plan) {
  auto found = look_at(plan.provision_log);
  return found.state == Provision::State::silent ? look_at(plan.serial_log) : found;
}

[[noreturn]] void throw_failed(const std::string& vm, const Provision& found) {
  Error error("what VM " + in_backticks(vm) +
              " was told to do failed: " + printable(found.failure));
  std::string said;
  for (const auto& line : found.output) said += '\n' + printable(line);
  error.help(said.empty() ? "it said nothing" : "it said last:" + said);
  error.help("`qlaunch log " + shell_quote(vm) +
             " provision` has all of it; the VM goes on running");
  throw error;
}

[[noreturn]] void throw_late(const std::string& vm, const Provision& found) {
  if (found.state == Provision::State::silent) {
    throw TimeoutError("the guest has not said that it is being provisioned")
        .help(
            "it takes cloud-init, or a NixOS image made for Lima, to read what the guest is told; "
            "else wait for \"ssh\", \"agent\" or \"serial:TEXT\" in [ready]");
  }
  TimeoutError error(
      "provisioning has not ended" +
      (found.running.empty() ? std::string() : ": it is at " + printable(found.running)));
  error.help("`qlaunch wait " + shell_quote(vm) + " --for provisioned` waits on");
  throw error;
}

}  // namespace

bool wait_provisioned(const Waiting& waiting) {
  const auto& plan = waiting.live.plan;
  if (plan.provision_log.empty())
    throw StateError("VM " + in_backticks(waiting.live.name) +
                     " is told nothing, and so it does not tell when that is done")
        .help("add a [guest] to its profile");
  const UniqueFd notify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  for (const auto& path : {plan.provision_log, plan.serial_log}) {
    if (!path.empty()) inotify_add_watch(notify.get(), path.c_str(), IN_MODIFY);
  }
  for (;;) {
    // The watch stands before the look: what comes in between wakes it.
    const auto found = look_at_both(plan);
    if (found.state == Provision::State::done) return true;
    if (found.state == Provision::State::failed) throw_failed(waiting.live.name, found);
    const auto woken = waiting.until(notify.get(), waiting.deadline);
    if (woken == Waiting::Woken::interrupted) return false;
    if (woken == Waiting::Woken::time) throw_late(waiting.live.name, found);
    std::array<char, 4096> events{};
    while (read(notify.get(), events.data(), events.size()) > 0) {
    }
  }
}

}  // namespace qlaunch
