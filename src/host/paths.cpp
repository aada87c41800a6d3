// SPDX-License-Identifier: MIT
#include "host/paths.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/account.hpp"
#include "host/files.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>

#include <climits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {

namespace {

/// Absolute, without "." and ".." and without a slash at its end. Follows no symlink.
std::string absolute(const std::string& path) {
  std::string result = std::filesystem::absolute(path).lexically_normal().string();
  while (result.size() > 1 && result.back() == '/') result.pop_back();
  return result;
}

/// An XDG variable; a relative path in one is to be ignored, as its specification says.
std::string xdg(const char* name, const std::string& below_home) {
  const std::string value = environment_value(name);
  if (!value.empty() && value.front() == '/') return absolute(value);
  const std::string home = home_folder();
  return home.empty() ? std::string() : home + below_home;
}

std::string needed(const char* name, const std::string& below_home) {
  std::string path = xdg(name, below_home);
  if (path.empty()) {
    throw Error("cannot tell this user's home folder").help("set HOME or QLAUNCH_HOME");
  }
  return path;
}

/// The folder of this user in /tmp, where others could have put something in its place.
std::string folder_in_tmp() {
  return "/tmp/qlaunch-" + std::to_string(::getuid());
}

enum class Holds { sockets, lasting };

/// Throws where the folder is there and is not this user's alone.
void check_private(const std::string& path, Holds holds) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return;
    throw system_error("cannot look at " + in_backticks(path), errno);
  }
  const auto refuse = [&](const std::string& why, const std::string& mend) {
    Error error(in_backticks(path) + " " + why);
    if (holds == Holds::sockets)
      return error.help(
          "qlaunch keeps its sockets there; remove it, or set QLAUNCH_HOME to a folder of your "
          "own");
    // There are disks in it, perhaps: nothing that anybody is told to remove.
    return error.help("qlaunch keeps a VM's files there; " + mend);
  };
  const std::string elsewhere = "set QLAUNCH_HOME to a folder of your own";
  const auto check_owner = [&] {
    if (status.st_uid == ::geteuid()) return;
    throw refuse("belongs to another user (uid " + std::to_string(status.st_uid) + ")", elsewhere);
  };
  if (S_ISLNK(status.st_mode)) {
    if (holds == Holds::sockets) throw refuse("is a symbolic link", elsewhere);
    // To a larger disk, say. Nobody but this user made it, and nobody else owns what it leads to.
    check_owner();
    if (::stat(path.c_str(), &status) != 0)
      throw refuse("is a symbolic link that leads nowhere", "make the folder that it leads to");
  }
  if (!S_ISDIR(status.st_mode)) throw refuse("is not a folder", "move what is there away");
  check_owner();
  if ((status.st_mode & 077) != 0) {
    throw refuse("is open to other users (mode " + octal(status.st_mode & 07777U, 4) + ')',
                 "`chmod 700 " + shell_quote(path) + "` closes it to them");
  }
}

bool ours(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid();
}

std::string runtime_root() {
  // After `su` it may still be the other user's; after a logout it may be gone.
  const std::string value = environment_value("XDG_RUNTIME_DIR");
  if (!value.empty() && value.front() == '/' && ours(value)) return absolute(value) + "/qlaunch";
  std::string folder = folder_in_tmp();
  check_private(folder, Holds::sockets);
  return folder;
}

void make_folder(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return;
  const int error = errno;
  struct stat status {};
  if (error == EEXIST && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return;
  throw system_error("cannot make the folder " + in_backticks(path),
                     error == EEXIST ? ENOTDIR : error);
}

void make_parents(const std::string& path, mode_t mode) {
  for (auto slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    make_folder(path.substr(0, slash), mode);
  }
}

/// What a folder is for, by where it is; looks at nothing, so that it cannot fail.
Holds held_in(const std::string& folder) {
  const auto is_in = [&](const std::string& root) {
    return folder == root || lies_below(folder, root);
  };
  if (is_in(folder_in_tmp())) return Holds::sockets;
  const std::string home = environment_value("QLAUNCH_HOME");
  const std::string runtime = environment_value("XDG_RUNTIME_DIR");
  if (!home.empty()) return is_in(absolute(home + "/run")) ? Holds::sockets : Holds::lasting;
  const bool below = !runtime.empty() && is_in(absolute(runtime + "/qlaunch"));
  return below ? Holds::sockets : Holds::lasting;
}

}  // namespace

std::string environment_value(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : text) {
    hash ^= static_cast<unsigned char>(byte);
    hash *= 0x100000001b3;
  }
  return hash;
}

StateRoots state_roots() {
  if (const std::string home = environment_value("QLAUNCH_HOME"); !home.empty()) {
    const std::string base = absolute(home);
    const std::string prefix = base == "/" ? "" : base;
    return {prefix + "/run", prefix + "/data", prefix + "/state", prefix + "/cache"};
  }
  return {runtime_root(), needed("XDG_DATA_HOME", "/.local/share") + "/qlaunch",
          needed("XDG_STATE_HOME", "/.local/state") + "/qlaunch",
          needed("XDG_CACHE_HOME", "/.cache") + "/qlaunch"};
}

VmPaths vm_paths(const StateRoots& roots, std::string_view name) {
  const std::string below = "/" + std::string(name);
  VmPaths paths;
  paths.runtime = roots.runtime + below;
  paths.data = roots.data + below;
  paths.state = roots.state + below;
  paths.cache = roots.cache;
  if (paths.runtime.size() + 1 + longest_socket_name > longest_socket_path) {
    const std::string folder = folder_in_tmp();
    check_private(folder, Holds::sockets);
    // Hidden, so that it is not taken for a VM where this folder is the runtime root as well.
    paths.runtime = folder + "/." + hexadecimal(stable_hash(paths.runtime), 16);
  }
  return paths;
}

void make_private_folder(const std::string& path) {
  const std::string folder = absolute(path);
  // Whoever owns a folder in /tmp can swap all that is in it.
  if (lies_below(folder, folder_in_tmp())) make_private_folder(folder_in_tmp());
  make_parents(folder, 0700);
  if (::mkdir(folder.c_str(), 0700) == 0) {
    // A umask can only take away; this gives back what the owner needs.
    if (::chmod(folder.c_str(), 0700) != 0) {
      throw system_error("cannot set the mode of " + in_backticks(folder), errno);
    }
    return;
  }
  if (errno != EEXIST) throw system_error("cannot make the folder " + in_backticks(folder), errno);
  check_private(folder, held_in(folder));
}

void make_folders(const std::string& path) {
  const std::string folder = absolute(path);
  make_parents(folder, 0777);
  make_folder(folder, 0777);
}

std::string home_folder() {
  if (const std::string home = environment_value("HOME"); !home.empty() && home.front() == '/') {
    return absolute(home);
  }
  const auto account = account_of(::geteuid());
  return account && account->home.starts_with('/') ? absolute(account->home) : std::string();
}

std::string config_home() {
  return xdg("XDG_CONFIG_HOME", "/.config");
}

std::string own_executable() {
  std::error_code error;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) throw system_error("cannot find this program's own file", error.value());
  return path.string();
}

std::vector<std::string> profile_folders() {
  std::vector<std::string> folders = {"."};
  if (const std::string config = config_home(); !config.empty()) {
    folders.push_back(config + "/qlaunch/profiles");
  }
  const std::string configured = QLAUNCH_DATADIR "/profiles";
  const std::string program = absolute(own_executable() + "/..");
  bool installed = false;
  for (const std::string& folder : {absolute(program + "/../share/qlaunch/profiles"),
                                    absolute(program + "/../profiles"), configured}) {
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error) || folders.back() == folder) continue;
    folders.push_back(folder);
    installed = true;
  }
  if (!installed) folders.push_back(configured);
  return folders;
}

}  // namespace qlaunch
