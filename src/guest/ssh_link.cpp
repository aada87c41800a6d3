// SPDX-License-Identifier: MIT
#include "guest/ssh_link.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"

namespace qlaunch {
namespace {

/// How long a connection that no session uses stays.
constexpr const char* shared_for = "300";

/// In double quotes, in which only a quote and a backslash mean something else.
std::string ssh_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void add_settings_of(std::vector<std::string>& argv, const SshLink& link) {
  // The user's own configuration may lead every connection elsewhere, or keep them from being made
  // at all.
  argv.insert(argv.end(), {"-F", "none"});
  for (const auto& [name, value] : ssh_settings(link)) {
    argv.emplace_back("-o");
    argv.push_back(name + '=' + value);
  }
}

void add_each(std::vector<std::string>& argv, const char* option,
              const std::vector<std::string>& values) {
  for (const auto& value : values) {
    argv.emplace_back(option);
    argv.push_back(value);
  }
}

}  // namespace

std::string ssh_alias(std::string_view vm) {
  return "qlaunch-" + std::string(vm);
}

std::string ssh_path(const std::string& path) {
  // There is no way to write these so that ssh takes them for what they are.
  if (path.find("${") != std::string::npos || path.find_first_of("\n\r") != std::string::npos)
    throw Error("ssh cannot be given the path " + in_backticks(printable(path)))
        .help("set QLAUNCH_HOME to a folder without `${` and line breaks in its path");
  std::string doubled;
  for (const char c : path) {
    if (c == '%') doubled += '%';
    doubled += c;
  }
  return ssh_quote(doubled);
}

std::vector<std::pair<std::string, std::string>> ssh_settings(const SshLink& link) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto add = [&](const char* name, std::string value) {
    out.emplace_back(name, std::move(value));
  };
  if (link.connector.empty()) {
    add("HostName", link.host);
    add("Port", std::to_string(link.port));
  } else {
    std::string line;
    for (const char c : shell_quote(link.connector)) line += c == '%' ? "%%" : std::string(1, c);
    add("ProxyCommand", line);
    add("ProxyUseFdpass", "yes");
  }
  if (!link.user.empty()) add("User", ssh_quote(link.user));
  add("HostKeyAlias", std::string(guest_host_key_alias));
  add("UserKnownHostsFile", ssh_path(link.known_hosts));
  // With `accept-new` a key of another kind than the known one would be taken for new.
  add("StrictHostKeyChecking", link.host_key_known ? "yes" : "accept-new");
  add("HashKnownHosts", "no");
  add("UpdateHostKeys", "no");
  for (const auto& key : link.keys) add("IdentityFile", ssh_path(key));
  if (link.only_these_keys) add("IdentitiesOnly", "yes");
  if (link.forward_agent) add("ForwardAgent", "yes");
  if (!link.control.empty()) add("ControlPath", ssh_path(link.control));
  return out;
}

std::vector<std::string> ssh_argv(const std::string& program, const SshLink& link,
                                  const SshSession& session) {
  std::vector<std::string> argv{program};
  // The first value counts: what the user says of this session comes before ours.
  add_each(argv, "-o", session.options);
  add_settings_of(argv, link);
  if (link.control.empty()) argv.insert(argv.end(), {"-S", "none"});
  if (session.terminal == WantTerminal::no) argv.emplace_back("-T");
  if (session.terminal == WantTerminal::yes) argv.emplace_back("-t");
  if (session.terminal == WantTerminal::forced) argv.emplace_back("-tt");
  if (session.no_command) argv.emplace_back("-N");
  add_each(argv, "-L", session.local_forwards);
  add_each(argv, "-R", session.remote_forwards);
  add_each(argv, "-D", session.dynamic_forwards);
  argv.emplace_back("--");
  argv.push_back(link.alias);
  if (!session.command.empty()) argv.push_back(session.command);
  return argv;
}

std::vector<std::string> ssh_master_argv(const std::string& program, const SshLink& link,
                                         int seconds) {
  std::vector<std::string> argv{program};
  add_settings_of(argv, link);
  for (const std::string& setting :
       {std::string("ControlMaster=yes"), std::string("ControlPersist=") + shared_for,
        std::string("BatchMode=yes"), std::string("LogLevel=DEBUG1"),
        "ConnectTimeout=" + std::to_string(seconds)})
    argv.insert(argv.end(), {"-o", setting});
  argv.insert(argv.end(), {"-N", "-f", "--", link.alias});
  return argv;
}

std::vector<std::string> ssh_greeting_argv(const std::string& program, const SshLink& link,
                                           int seconds) {
  std::vector<std::string> argv{program};
  add_settings_of(argv, link);
  for (const std::string& setting :
       {std::string("BatchMode=yes"), std::string("PreferredAuthentications=none"),
        "ConnectTimeout=" + std::to_string(seconds)})
    argv.insert(argv.end(), {"-o", setting});
  argv.insert(argv.end(), {"-S", "none", "-T", "--", link.alias, "true"});
  return argv;
}

std::vector<std::string> ssh_exit_argv(const std::string& program, const std::string& control) {
  return {program, "-F", "none", "-o", "ControlPath=" + ssh_path(control), "-O", "exit", "--", "x"};
}

std::vector<std::string> ssh_stop_argv(const std::string& program, const std::string& control) {
  return {program, "-F", "none", "-o", "ControlPath=" + ssh_path(control), "-O", "stop", "--", "x"};
}

std::vector<std::string> ssh_ask_argv(const std::string& program, const std::string& control) {
  // A port on which nobody listens: that it is refused is an answer, too. The command is what ssh
  // would connect by where the shared connection has gone meanwhile.
  return {program,
          "-F",
          "none",
          "-o",
          "ControlPath=" + ssh_path(control),
          "-o",
          "ProxyCommand=false",
          "-W",
          "127.0.0.1:1",
          "--",
          "x"};
}

std::string ssh_host_block(const SshLink& link) {
  std::string text = "Host " + link.alias + '\n';
  for (const auto& [name, value] : ssh_settings(link)) text += "    " + name + ' ' + value + '\n';
  return text;
}

}  // namespace qlaunch
