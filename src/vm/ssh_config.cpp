// SPDX-License-Identifier: MIT
#include "vm/ssh_config.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "guest/ssh_include.hpp"
#include "host/account.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "host/spawn.hpp"
#include "vm/catalog.hpp"
#include "vm/ephemeral.hpp"
#include "vm/record.hpp"
#include "vm/ssh_connection.hpp"
#include "vm/ssh_profile.hpp"

#include <algorithm>
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

constexpr auto lock_patience = std::chrono::seconds(10);
constexpr int write_attempts = 10;
constexpr std::size_t largest_config = std::size_t{1} << 20;

/// Where this program is found tomorrow, too: an update may put it into another folder, to which
/// the same link leads.
std::string lasting_program() {
  auto own = own_executable();
  const auto found = find_program("qlaunch");
  std::error_code ignored;
  return !found.empty() && fs::equivalent(found, own, ignored) ? fs::absolute(found).string() : own;
}

/// What an editor that was started elsewhere does not have in its environment.
std::vector<std::string> connector_for(const std::string& vm) {
  std::vector<std::string> words;
  for (const char* name : {"QLAUNCH_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"}) {
    if (const auto value = environment_value(name); !value.empty())
      words.push_back(std::string(name) + '=' + fs::absolute(value).string());
  }
  if (!words.empty()) words.insert(words.begin(), "env");
  words.insert(words.end(), {lasting_program(), "ssh-connect", vm});
  return words;
}

bool leads_to_ssh(const Plan& plan) {
  return std::any_of(plan.forwards.begin(), plan.forwards.end(), [](const auto& planned) {
    return planned.forward.guest_port == 22 && planned.forward.protocol == Protocol::tcp;
  });
}

/// Whoever writes last has looked last.
FileLock config_lock() {
  FileLock lock(state_roots().data + "/.ssh_config.lock");
  if (!lock.lock(std::chrono::steady_clock::now() + lock_patience))
    throw TimeoutError("another command has been writing " + in_backticks(ssh_config_file()) +
                       " for too long");
  return lock;
}

}  // namespace

SshLink config_link(const std::string& vm) {
  const auto plan = recorded_plan(require_record(vm));
  SshLink link;
  link.alias = ssh_alias(vm);
  link.user = ssh_user(vm, plan);
  link.forward_agent = plan.guest.forward_agent;
  take_keys(link, vm_paths(state_roots(), vm));
  // By the time that ssh looks, the connector has seen to it.
  link.host_key_known = true;
  link.connector = connector_for(vm);
  return link;
}

std::vector<std::string> vms_for_ssh() {
  std::vector<std::string> vms;
  for (const auto& vm : known_vms()) {
    try {
      const auto record = read_record(vm);
      if (!record || is_ephemeral(vm)) continue;
      const auto plan = recorded_plan(*record);
      if (leads_to_ssh(plan) || !plan.guest.user.empty() || !reachable_cards(vm, plan.macs).empty())
        vms.push_back(vm);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // One that cannot be read hides none of the others.
    }
  }
  return vms;
}

SshHosts ssh_hosts() {
  SshHosts hosts;
  for (const auto& vm : vms_for_ssh()) {
    try {
      hosts.links.emplace_back(vm, config_link(vm));
    } catch (const Error& error) {
      hosts.left_out.push_back("VM " + in_backticks(vm) + " is left out: " + error.what());
    }
  }
  return hosts;
}

std::string ssh_config_file() {
  return state_roots().data + "/ssh_config";
}

std::vector<std::string> write_ssh_config() {
  const auto path = ssh_config_file();
  make_private_folder(state_roots().data);
  const auto lock = config_lock();
  std::string text =
      "# Hosts of qlaunch's VMs. Written anew whenever one is started: changes here are lost.\n";
  auto hosts = ssh_hosts();
  for (const auto& [vm, link] : hosts.links) text += '\n' + ssh_host_block(link);
  if (try_read_file(path) != text) write_file_atomic(path, text, 0600, Durability::quick);
  return std::move(hosts.left_out);
}

void refresh_ssh_config() noexcept {
  try {
    if (file_fact(ssh_config_file()).kind != FileFact::Kind::missing) write_ssh_config();
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // As the header says.
  }
}

namespace {

/// Another one after each change, be it in place or by a new file.
std::string state_of_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  std::string state;
  for (const auto number :
       {static_cast<long long>(status.st_dev), static_cast<long long>(status.st_ino),
        static_cast<long long>(status.st_size), static_cast<long long>(status.st_mtim.tv_sec),
        static_cast<long long>(status.st_mtim.tv_nsec)})
    state += std::to_string(number) + ' ';
  return state;
}

}  // namespace

UserSshConfig plan_user_ssh_config() {
  const auto home = home_folder();
  if (home.empty())
    throw Error("cannot tell this user's home folder").help("set HOME to where ~/.ssh is");
  UserSshConfig config;
  config.path = home + "/.ssh/config";
  std::error_code error;
  if (fs::is_symlink(config.path, error)) {
    // What leads there stays, for whoever keeps such files elsewhere.
    const auto real = fs::canonical(config.path, error);
    if (error)
      throw Error(in_backticks(config.path) + " is a symbolic link that leads nowhere")
          .help("make the file that it leads to");
    config.path = real.string();
  }
  config.seen = state_of_file(config.path);
  std::string before;
  if (file_fact(config.path).kind != FileFact::Kind::missing)
    before = read_file(config.path, largest_config);
  const auto after = with_include(before, ssh_config_file(), home);
  config.changed = after.has_value();
  config.content = after.value_or(before);
  const auto account = account_of(geteuid());
  if (account && !account->home.empty() && !fs::equivalent(account->home, home, error))
    config.read_by_ssh = account->home + "/.ssh/config";
  return config;
}

namespace {

/// False where the file is another one than it was.
bool write_user_ssh_config(const UserSshConfig& config) {
  constexpr mode_t permissions = 07777;
  struct stat status {};
  const bool there = stat(config.path.c_str(), &status) == 0;
  try {
    // ssh takes none that others could write.
    const auto folder = fs::path(config.path).parent_path().string();
    if (file_fact(folder).kind == FileFact::Kind::missing) make_private_folder(folder);
    if (state_of_file(config.path) != config.seen) return false;
    write_file_atomic(config.path, config.content, there ? status.st_mode & permissions : 0600);
  } catch (const Error& error) {
    throw Error(error.what())
        .help("add this line at the top of it by the tool that writes it:")
        .help(std::string(command_mark) + include_line(ssh_config_file()));
  }
  return true;
}

}  // namespace

UserSshConfig install_user_ssh_config() {
  const auto lock = config_lock();
  for (int attempt = 0; attempt < write_attempts; ++attempt) {
    auto config = plan_user_ssh_config();
    if (!config.changed || write_user_ssh_config(config)) return config;
  }
  throw Error("somebody else keeps changing the user's configuration of ssh");
}

}  // namespace qlaunch
