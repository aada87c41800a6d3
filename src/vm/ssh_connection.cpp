// SPDX-License-Identifier: MIT
#include "vm/ssh_connection.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/ssh_answers.hpp"
#include "guest/ssh_identity.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "host/programs.hpp"
#include "host/socket.hpp"
#include "vm/guest_address.hpp"
#include "vm/ssh_profile.hpp"
#include "vm/waiting.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

constexpr const char* control_prefix = "ssh-";
/// ssh makes it under a longer name first: this and sixteen random letters.
constexpr std::size_t control_suffix = 17;

/// Sessions that cannot share a connection get different ones: it was made as one user, and
/// carries one agent.
std::string control_path(const LiveRecord& live, const SshLink& link) {
  const auto& runtime = live.plan.paths.runtime;
  if (file_fact(runtime).kind != FileFact::Kind::folder) return {};
  auto what = link.user + '\n' + link.host + '\n' + std::to_string(link.port);
  if (link.forward_agent) what += '\n' + environment_value("SSH_AUTH_SOCK");
  if (file_fact(unshared_mark(runtime)).kind != FileFact::Kind::missing) return {};
  auto path = runtime + '/' + control_prefix + hexadecimal(stable_hash(what) & 0xffffffffU, 8);
  return path.size() + control_suffix > longest_socket_path ? std::string() : path;
}

/// What ssh tries where it is told of no key, by the home folder that this user sees: ssh itself
/// goes by the password database.
std::vector<std::string> own_keys() {
  std::vector<std::string> keys;
  const auto home = home_folder();
  if (home.empty()) return keys;
  for (const char* name : {"id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk"}) {
    auto path = home + "/.ssh/" + name;
    if (file_fact(path).kind == FileFact::Kind::file) keys.push_back(std::move(path));
  }
  return keys;
}

/// ssh itself would let others read it. Another command may have it learn a key right now.
void make_known_hosts(const std::string& path, const std::string& content) {
  const UniqueFd made(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (made) write_all(made.get(), content, "cannot write " + in_backticks(path));
}

const Forward* ssh_forward(const LiveRecord& live) {
  const auto* planned = forward_to(live, 22);
  return planned == nullptr ? nullptr : &planned->forward;
}

/// Not those above it: a VM that is removed meanwhile would leave its name taken by a folder.
std::string make_ssh_folder(const VmPaths& paths) {
  auto folder = ssh_folder(paths);
  if (mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return folder;
  if (errno == ENOENT)
    throw StateError("the VM in " + in_backticks(paths.data) + " was removed or renamed meanwhile");
  throw system_error("cannot make the folder " + in_backticks(folder), errno);
}

}  // namespace

std::string unshared_mark(const std::string& runtime) {
  return runtime + "/ssh.unshared";
}

std::string ssh_folder(const VmPaths& paths) {
  return paths.data + "/ssh";
}

std::string ssh_program() {
  const auto program = find_installed("ssh");
  return program.empty() ? require_program("ssh", "the ssh client", "openssh") : program;
}

SshLink ssh_link(const LiveRecord& live, const SshWish& wish) {
  SshLink link;
  link.alias = ssh_alias(live.name);
  if (const auto* forward = ssh_forward(live)) {
    const bool everywhere = forward->host_address.empty() || forward->host_address == "0.0.0.0";
    link.host = everywhere ? "127.0.0.1" : forward->host_address;
    link.port = forward->host_port;
  } else if (auto address = guest_address(live); !address.empty()) {
    link.host = std::move(address);
  } else {
    const auto name = shell_quote(live.name);
    throw StateError("nothing leads to the ssh server of VM " + in_backticks(live.name) +
                     ": no port is forwarded to its port 22")
        .help("`qlaunch forward add " + name + " auto:22` forwards one now")
        .help("`forward = [\"auto:22\"]` in a [[network]] of its profile does so at each start")
        .help("`qlaunch console " + name + "` is its serial port, which needs no network");
  }
  link.user = wish.user.empty() ? ssh_user(live.name, live.plan) : wish.user;
  link.forward_agent = wish.forward_agent || live.plan.guest.forward_agent;
  take_keys(link, live.plan.paths);
  if (wish.share) link.control = control_path(live, link);
  return link;
}

void take_keys(SshLink& link, const VmPaths& paths) {
  const auto folder = make_ssh_folder(paths);
  link.known_hosts = folder + "/known_hosts";
  const auto identity = find_ssh_identity(folder);
  auto seen = try_read_file(link.known_hosts);
  if (!seen) {
    seen = identity ? given_known_hosts(identity->host_public_key) : "";
    make_known_hosts(link.known_hosts, *seen);
  }
  link.host_key_known = !trim(*seen).empty();
  link.keys = own_keys();
  if (identity) {
    link.keys.insert(link.keys.begin(), identity->key);
    link.only_these_keys = true;
  }
}

std::string ssh_user(const std::string& vm, const Plan& plan) {
  if (!plan.guest.user.empty()) return plan.guest.user;
  return root_has_key(vm) ? "root" : "";
}

void forget_host_key(const VmPaths& paths) {
  // Not gone: then the key that the guest was given would be the known one.
  write_file_atomic(make_ssh_folder(paths) + "/known_hosts", "");
  end_ssh(paths.runtime);
}

void end_ssh(const std::string& runtime) noexcept {
  try {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(runtime, ignored)) {
      const auto path = entry.path().string();
      if (!entry.is_socket(ignored) ||
          !entry.path().filename().string().starts_with(control_prefix) || !try_connect_unix(path))
        continue;
      run_and_capture(ssh_exit_argv(ssh_program(), path), std::chrono::seconds(5));
    }
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // It ends by itself once nobody has used it for a while.
  }
}

}  // namespace qlaunch
