// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/provision.hpp"
#include "vm/waiting.hpp"

#include <array>

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

/// A log of which each look reads what has come since the last.
class ProvisionLog {
 public:
  explicit ProvisionLog(std::string path) : path_(std::move(path)) {}

  const Provision& look() {
    const UniqueFd file(path_.empty() ? -1 : open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!file || fstat(file.get(), &status) != 0) return reader_.seen();
    if (status.st_size < read_) {
      // Cut by a revert to a snapshot.
      reader_ = {};
      read_ = 0;
    }
    std::array<char, std::size_t{64} << 10> piece{};
    for (;;) {
      const auto got = pread(file.get(), piece.data(), piece.size(), read_);
      if (got <= 0) return reader_.seen();
      read_ += got;
      reader_.feed({piece.data(), static_cast<std::size_t>(got)});
    }
  }

 private:
  std::string path_;
  off_t read_ = 0;
  ProvisionReader reader_;
};

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
  ProvisionLog port(plan.provision_log), console(plan.serial_log);
  for (;;) {
    // The watch stands before the look: what comes in between wakes it. A guest that has no driver
    // for the port says it on its console.
    const bool by_port = port.look().state != Provision::State::silent;
    const auto& found = by_port ? port.look() : console.look();
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
