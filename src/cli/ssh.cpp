// SPDX-License-Identifier: MIT
#include "cli/ssh.hpp"

#include "cli/failure.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "core/quote.hpp"
#include "guest/ssh_words.hpp"
#include "host/exec.hpp"
#include "host/paths.hpp"
#include "vm/catalog.hpp"
#include "vm/ssh_connection.hpp"
#include "vm/ssh_profile.hpp"

#include <filesystem>

namespace qlaunch {
namespace {

void check_options(const SshOptions& options) {
  const auto exclude = [](bool both, const char* words) {
    if (both) throw UsageError(std::string(words) + " exclude each other");
  };
  exclude(options.want_terminal > 0 && options.no_terminal, "`-t` and `-T`");
  exclude(options.no_command && !options.words.empty(), "`-N` and a command");
  exclude(options.no_command && !options.workdir.empty(), "`-N` and `--workdir`");
  for (const auto& option : options.options) {
    if (!option.empty() && option.find_first_of("\r\n") == std::string::npos) continue;
    throw UsageError("`-o` needs an option of ssh's, as in `-o Compression=yes`");
  }
}

/// The folder in which to be there: the one asked for, or this one where the guest has it.
std::string folder_there(const SshOptions& options, const std::string& vm) {
  if (!options.workdir.empty() || options.no_command) return options.workdir;
  const auto shares = mounted_shares(vm);
  if (shares.empty()) return {};
  std::error_code ignored;
  const auto here = std::filesystem::current_path(ignored).string();
  return folder_in_guest(shares, here).value_or("");
}

SshSession session_of(const SshOptions& options, const std::string& vm, const Terminal& terminal) {
  SshSession session;
  session.no_command = options.no_command;
  session.local_forwards = options.local_forwards;
  session.remote_forwards = options.remote_forwards;
  session.dynamic_forwards = options.dynamic_forwards;
  session.options = options.options;
  session.command = guest_command_line(options.words, folder_there(options, vm));
  if (options.no_terminal) session.terminal = WantTerminal::no;
  if (options.want_terminal == 1) session.terminal = WantTerminal::yes;
  if (options.want_terminal > 1) session.terminal = WantTerminal::forced;
  // A shell that starts in a folder is a command to ssh, which gives commands none by itself.
  const bool shell = options.words.empty() && !session.command.empty();
  if (shell && session.terminal == WantTerminal::automatic && terminal.in_is_terminal())
    session.terminal = WantTerminal::yes;
  return session;
}

/// What belongs to this session alone: the shared connection would keep its forwards, and has its
/// own options already.
bool needs_own_connection(const SshOptions& options) {
  return options.no_share || options.no_command || !options.local_forwards.empty() ||
         !options.remote_forwards.empty() || !options.dynamic_forwards.empty() ||
         !options.options.empty();
}

SshTarget target_of(const SshOptions& options) {
  auto target = parse_ssh_target(options.target);
  if (!target.inner.empty())
    throw UsageError(in_backticks(options.target) +
                     " goes through several layers, and `ssh` goes "
                     "into one")
        .help("`qlaunch ssh -t " + shell_quote(target.vm) + " -- qlaunch ssh " +
              shell_quote(target.inner) + "` lets the qlaunch in its guest take the next step");
  return target;
}

/// What is to be run, once the guest's server lets us in.
std::vector<std::string> argv_for(const SshOptions& options, const SshTarget& target,
                                  Terminal& terminal) {
  const auto name = find_vm(target.vm);
  const auto live = require_running(name);
  if (options.accept_host_key) forget_host_key(live.plan.paths);
  const InterruptGuard guard;
  Progress progress(terminal);
  SshWish wish;
  wish.user = target.user;
  wish.forward_agent = options.forward_agent;
  wish.share = !options.no_share;
  wish.timeout = options.timeout;
  wish.interrupted = InterruptGuard::interrupted;
  wish.step = [&](const std::string& text) { progress.waiting(text); };
  auto link = ssh_link(live, wish);
  std::optional<Error> refusal;
  const auto door = open_ssh(link, live, wish, refusal);
  progress.done();
  // Without a person there is nobody whom ssh could ask for a password.
  if (door == SshDoor::locked && !terminal.in_is_terminal()) throw *refusal;
  if (needs_own_connection(options)) link.control.clear();
  return ssh_argv(ssh_program(), link, session_of(options, name, terminal));
}

}  // namespace

void add_ssh(CLI::App& app, SshOptions& options) {
  add_word(app, options.target, "VM", "a VM's name, or its profile; USER@VM for another user");
  add_words(app, options.words, "CMD", "a command and its words, behind `--`; else a shell", false);
  add_texts(app, options.local_forwards, "-L", "SPEC",
            "lead a port of this host into the guest, as ssh's");
  add_texts(app, options.remote_forwards, "-R", "SPEC",
            "lead a port of the guest to this host, as ssh's");
  add_texts(app, options.dynamic_forwards, "-D", "SPEC",
            "a SOCKS proxy into the guest's network, as ssh's");
  add_texts(app, options.options, "-o", "OPTION", "an option of ssh_config(5), for this session");
  add_flag(app, options.forward_agent, "-A", "lend the guest your ssh agent");
  add_count(app, options.want_terminal, "-t", "a terminal for the command, too; -tt forces one");
  add_flag(app, options.no_terminal, "-T", "no terminal for the shell");
  add_flag(app, options.no_command, "-N", "run nothing, only forward ports");
  add_text(app, options.workdir, "--workdir", "DIR",
           "start in this folder of the guest; default: this one, where a share holds it");
  add_timeout(app, options.timeout, "how long to wait for the guest's ssh server");
  add_flag(app, options.no_share, "--no-share",
           "a connection of its own, not the one that sessions share");
  add_flag(app, options.accept_host_key, "--accept-host-key",
           "forget the guest's host key, and learn the one that it shows now");
}

int ssh(const SshOptions& options, Terminal& terminal) {
  // Wrong words end it as they do every command; what comes then is told from the command's code.
  check_options(options);
  const auto target = target_of(options);
  try {
    become(argv_for(options, target, terminal));
  } catch (const OutputClosed&) {
    throw;
  } catch (...) {
    if (InterruptGuard::interrupted()) return InterruptGuard::exit_code();
    terminal.complain(as_error(std::current_exception()));
    return static_cast<int>(ExitCode::own_failure);
  }
}

}  // namespace qlaunch
