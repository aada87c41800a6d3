// SPDX-License-Identifier: MIT
#include "cli/up.hpp"

#include "cli/console.hpp"
#include "cli/foreground.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/start_vms.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "vm/catalog.hpp"

#include <filesystem>

namespace qlaunch {
namespace {

LaunchRequest request_of(const UpOptions& options, const std::string& word) {
  if (!options.from.empty()) {
    LaunchRequest from;
    from.name = find_vm(word);
    from.from = options.from;
    from.discard = options.discard;
    return from;
  }
  auto request = request_for(word);
  request.settings = options.settings;
  request.adopt = options.adopt;
  request.ephemeral = options.ephemeral;
  request.discard_state = options.discard_state;
  request.cold = options.cold;
  // That VM's disks, and a name of its own.
  if (options.ephemeral) request.of = std::exchange(request.name, {});
  if (!options.name.empty()) request.name = options.name;
  request.paused = options.console;
  if (!options.cdrom.empty()) {
    request.cdrom = std::filesystem::absolute(options.cdrom).lexically_normal().string();
    if (file_fact(request.cdrom).kind == FileFact::Kind::missing)
      throw UsageError("there is no file " + in_backticks(options.cdrom))
          .help("`--cdrom` takes the path of an ISO image");
  }
  return request;
}

void check_options(const UpOptions& options) {
  const auto one_only = [&](bool given, const char* option) {
    if (given && options.profiles.size() > 1)
      throw UsageError(in_backticks(option) + " is for one profile, not for several");
  };
  one_only(!options.name.empty(), "--name");
  one_only(options.console, "--console");
  one_only(options.foreground, "--foreground");
  one_only(!options.cdrom.empty(), "--cdrom");
  const auto exclude = [](bool both, const char* words) {
    if (both) throw UsageError(std::string(words) + " exclude each other");
  };
  exclude(options.console && options.json, "`--console` and `--json`");
  exclude(options.console && options.foreground, "`--console` and `--foreground`");
  exclude(options.console && options.timeout, "`--console` and `--timeout`");
  exclude(options.ephemeral && options.adopt, "`--ephemeral` and `--adopt`");
  const bool from = !options.from.empty();
  exclude(from && options.ephemeral, "`--from` and `--ephemeral`");
  exclude(from && options.adopt, "`--from` and `--adopt`");
  exclude(from && !options.name.empty(), "`--from` and `--name`");
  exclude(from && !options.settings.empty(), "`--from` and `--set`");
  exclude(from && !options.cdrom.empty(), "`--from` and `--cdrom`");
  exclude(from && options.console, "`--from` and `--console`");
  if (options.discard && !from) throw UsageError("`--discard` is for a start with `--from`");
  if (options.cold && !options.ephemeral)
    throw UsageError("only ephemeral runs start from a saved ready state: `--cold` is for them")
        .help("`--discard-state` starts a suspended VM anew");
}

}  // namespace

void add_up(CLI::App& app, UpOptions& options) {
  add_words(app, options.profiles, "PROFILE", "profiles: files, or names");
  add_settings(app, options.settings);
  add_name(app, options.name, "call the VM so, instead of as its profile says");
  add_flag(app, options.adopt, "--adopt",
           "let this profile take over a known VM of the same name, with its disks");
  add_flag(app, options.ephemeral, "--ephemeral",
           "a VM of its own that starts from the profile's disks and leaves nothing behind");
  add_text(app, options.cdrom, "--cdrom", "ISO",
           "boot this CD image first, this once; a reset boots as the profile says");
  add_text(app, options.from, "--from", "TAG",
           "go on from this snapshot of the VM, with the plan that is kept with it");
  add_flag(app, options.discard, "--discard", "with --from: do not keep the disks as they are now");
  add_flag(app, options.discard_state, "--discard-state",
           "start a suspended VM anew; what it had in memory is lost");
  add_flag(app, options.cold, "--cold",
           "with --ephemeral: boot, and remove the ready state that `[start] warm` has saved");
  add_flag(app, options.no_wait, "--no-wait", "return when the VM runs, ready or not");
  add_timeout(app, options.timeout,
              "how long the guest may take; default: `[ready] timeout` of the profile");
  add_flag(app, options.console, "--console",
           "go on as `qlaunch console` at once: the guest starts when it can be heard");
  add_flag(app, options.foreground, "--foreground",
           "stay until the VM has ended; signals ask its guest to power off");
  add_json(app, options.json, "print what `qlaunch status --json` prints");
}

int up(const UpOptions& options, Terminal& terminal) {
  check_options(options);
  const auto words = options.ephemeral ? options.profiles : without_repeats(options.profiles);
  std::vector<std::function<LaunchRequest()>> requests;
  requests.reserve(words.size());
  for (const auto& word : words)
    requests.emplace_back([&options, word] { return request_of(options, word); });
  StartHow how;
  how.wait = !options.no_wait && !options.console;
  how.timeout = options.timeout;
  how.json = options.json;
  how.report = !options.console;
  if (options.foreground) return in_foreground(requests, std::move(how), terminal);
  std::string name;
  {
    const InterruptGuard guard;
    const auto started = start_vms(requests, how, terminal);
    if (started.code != 0 || !options.console) return started.code;
    name = started.vms.front()->live.name;
  }
  // Without the guard: there Ctrl-C belongs to the guest.
  return console({.vm = name, .start = true}, terminal);
}

}  // namespace qlaunch
