// SPDX-License-Identifier: MIT
#include "guest/ssh_identity.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "host/programs.hpp"
#include "host/spawn.hpp"

#include <cerrno>
#include <chrono>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

// The folder with the four keys comes into being by one rename, beside the lock for it.
constexpr const char* keys_folder = "/keys";
constexpr const char* making_folder = "/making";
constexpr const char* user_key = "/id_ed25519";
constexpr const char* host_key_file = "/ssh_host_ed25519_key";

constexpr auto keygen_patience = std::chrono::seconds(30);
constexpr std::size_t keygen_limit = std::size_t{1} << 16;

Captured run_keygen(const std::string& program, const std::string& path, bool user_namespace) {
  SpawnOptions options;
  // "qlaunch" is what a guest's administrator reads at the end of the line.
  options.argv = {program, "-q", "-t", "ed25519", "-N", "", "-C", "qlaunch", "-f", path};
  // One that outlived us would write into what the next one makes.
  options.die_with_parent = true;
  options.user_namespace = user_namespace;
  return run_and_capture(std::move(options), keygen_patience, keygen_limit);
}

void sync_path(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd || fsync(fd.get()) != 0) throw system_error("cannot write " + in_backticks(path), errno);
}

void generate(const std::string& program, const std::string& path) {
  auto made = run_keygen(program, path, false);
  // In a container a user often has a number but no name, which OpenSSH's programs refuse. Root of
  // a user namespace has one, and is the same user to the files.
  if (!made.ok() && made.err.find("No user exists for uid") != std::string::npos) {
    made = run_keygen(program, path, true);
  }
  if (!made.ok()) {
    Error error("`ssh-keygen` cannot make a key (" + describe_exit(made.status) + ")");
    if (const auto said = trim(made.err); !said.empty()) error.help("it said: " + printable(said));
    throw error;
  }
  for (const auto& file : {path, path + ".pub"}) {
    if (chmod(file.c_str(), 0600) != 0)
      throw system_error("cannot set the mode of " + in_backticks(file), errno);
    sync_path(file);
  }
}

std::string key_line(const std::string& path) {
  auto line = std::string(trim(read_file(path, keygen_limit)));
  if (!line.starts_with("ssh-") || line.find('\n') != std::string::npos)
    throw Error(in_backticks(path) + " holds no public key");
  return line;
}

bool is_there(const std::string& folder) {
  return file_fact(folder + keys_folder).kind != FileFact::Kind::missing;
}

SshIdentity read_identity(const std::string& folder) {
  const auto keys = folder + keys_folder;
  SshIdentity identity;
  identity.key = keys + user_key;
  identity.host_key = keys + host_key_file;
  identity.known_hosts = folder + "/known_hosts";
  try {
    for (const auto& file : {identity.key, identity.host_key}) read_file(file, keygen_limit);
    identity.public_key = key_line(identity.key + ".pub");
    identity.host_public_key = key_line(identity.host_key + ".pub");
  } catch (Error& error) {
    throw error.help("without " + in_backticks(keys) +
                     " new keys are made, which a guest that is installed does not know");
  }
  return identity;
}

void make_keys(const std::string& folder) {
  const auto program = find_installed("ssh-keygen");
  // The one error that names the package.
  if (program.empty()) require_program("ssh-keygen", "the maker of ssh keys", "openssh");
  const auto making = folder + making_folder;
  remove_tree(making);
  make_private_folder(making);
  try {
    generate(program, making + user_key);
    generate(program, making + host_key_file);
    sync_path(making);
    const auto keys = folder + keys_folder;
    if (rename(making.c_str(), keys.c_str()) != 0)
      throw system_error("cannot make the folder " + in_backticks(keys), errno);
    sync_path(folder);
  } catch (...) {
    remove_tree(making);
    throw;
  }
}

}  // namespace

SshIdentity ensure_ssh_identity(const std::string& folder) {
  make_private_folder(folder);
  if (!is_there(folder)) {
    FileLock lock(folder + "/lock");
    if (!lock.lock(std::chrono::steady_clock::now() + 2 * keygen_patience))
      throw TimeoutError("somebody else has been making the ssh keys in " + in_backticks(folder) +
                         " for too long");
    if (!is_there(folder)) make_keys(folder);
  }
  return read_identity(folder);
}

std::optional<SshIdentity> find_ssh_identity(const std::string& folder) {
  if (!is_there(folder)) return std::nullopt;
  return read_identity(folder);
}

}  // namespace qlaunch
