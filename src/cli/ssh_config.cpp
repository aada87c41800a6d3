// SPDX-License-Identifier: MIT
#include "cli/ssh_config.hpp"

#include "cli/options.hpp"
#include "core/error.hpp"
#include "core/quote.hpp"
#include "guest/ssh_include.hpp"
#include "vm/catalog.hpp"
#include "vm/ssh_config.hpp"

#include <iostream>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

Json host_json(const std::string& vm, const SshLink& link) {
  Json out;
  out["name"] = vm;
  out["host"] = link.alias;
  out["user"] = link.user.empty() ? Json() : Json(link.user);
  out["identity_files"] = link.keys;
  out["known_hosts"] = link.known_hosts;
  out["proxy_command"] = link.connector;
  return out;
}

void tell_left_out(const std::vector<std::string>& left_out, const Terminal& terminal) {
  for (const auto& why : left_out) terminal.complain(warning_at({}, why));
}

int install(const SshConfigOptions& options, Terminal& terminal) {
  auto config = plan_user_ssh_config();
  if (config.changed && !options.yes) {
    if (!terminal.in_is_terminal())
      throw UsageError("`ssh-config --install` asks before it changes " +
                       in_backticks(config.path) + ", and there is no terminal to ask on")
          .help("`qlaunch ssh-config --install --yes` does not ask");
    terminal.say("this line goes to the top of " + config.path + ":\n    " +
                 include_line(ssh_config_file()) + '\n');
    terminal.print_error("add it? [y/N] ");
    std::string answer;
    if (!std::getline(std::cin, answer) || answer.empty() ||
        (answer[0] != 'y' && answer[0] != 'Y')) {
      terminal.say("nothing was changed\n");
      return static_cast<int>(ExitCode::failed);
    }
  }
  tell_left_out(write_ssh_config(), terminal);
  if (config.changed) config = install_user_ssh_config();
  terminal.result(config.changed ? config.path + " now leads to " + ssh_config_file() + '\n'
                                 : config.path + " leads to " + ssh_config_file() + " already\n");
  if (!config.read_by_ssh.empty())
    terminal.complain(warning_at({}, "ssh itself goes by the password database and reads " +
                                         in_backticks(config.read_by_ssh) + ", not HOME"));
  const auto vms = vms_for_ssh();
  if (!vms.empty()) terminal.say("`ssh " + ssh_alias(vms.front()) + "` gets there\n");
  return 0;
}

}  // namespace

void add_ssh_config(CLI::App& app, SshConfigOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile; default: all VMs", false);
  add_flag(app, options.install, "--install",
           "keep a file of all VMs up to date, and have ~/.ssh/config include it");
  add_flag(app, options.yes, "-y,--yes", "with --install: do not ask");
  add_json(app, options.json, "print an array of objects; the keys are below");
}

int ssh_config(const SshConfigOptions& options, Terminal& terminal) {
  if (options.install && (!options.vm.empty() || options.json))
    throw UsageError("`--install` is for all VMs, and prints none");
  if (options.yes && !options.install) throw UsageError("`--yes` is for `--install`");
  if (options.install) return install(options, terminal);
  SshHosts hosts;
  if (options.vm.empty()) {
    hosts = ssh_hosts();
    tell_left_out(hosts.left_out, terminal);
  } else {
    const auto vm = find_vm(options.vm);
    hosts.links.emplace_back(vm, config_link(vm));
  }
  if (options.json) {
    Json all = Json::array();
    for (const auto& [vm, link] : hosts.links) all.push_back(host_json(vm, link));
    terminal.print(all.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
    return 0;
  }
  std::string text;
  for (const auto& [vm, link] : hosts.links)
    text += (text.empty() ? "" : "\n") + ssh_host_block(link);
  terminal.print(text);
  return 0;
}

}  // namespace qlaunch
