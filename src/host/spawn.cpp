// SPDX-License-Identifier: MIT
#include "host/spawn.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/spawn_child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace qlaunch {

namespace {

bool executable(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

/// Of several overrides for one name the last one counts.
std::vector<std::string> child_environment(const std::vector<std::string>& overrides) {
  std::vector<std::string> result;
  const auto name_of = [](const std::string& entry) { return entry.substr(0, entry.find('=')); };
  std::map<std::string, std::string> named;
  for (const std::string& entry : overrides) named[name_of(entry)] = entry;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (!named.contains(name_of(*entry))) result.emplace_back(*entry);
  }
  for (const auto& [name, entry] : named) {
    if (entry.find('=') != std::string::npos) result.push_back(entry);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (std::string& word : words) result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

UniqueFd open_log(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) throw system_error("cannot open the log " + in_backticks(path), errno);
  return fd;
}

/// The flags that a later remount has to repeat: in a user namespace they are locked.
unsigned long mount_flags(const std::string& folder) {
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0) return 0;
  unsigned long flags = 0;
  const auto carry = [&](unsigned long has, unsigned long flag) {
    if ((status.f_flag & has) != 0) flags |= flag;
  };
  carry(ST_NOSUID, MS_NOSUID);
  carry(ST_NODEV, MS_NODEV);
  carry(ST_NOEXEC, MS_NOEXEC);
  carry(ST_NOATIME, MS_NOATIME);
  carry(ST_NODIRATIME, MS_NODIRATIME);
  carry(ST_RELATIME, MS_RELATIME);
  return flags;
}

bool mounts_below(const std::string& folder) {
  const auto mounts = try_read_file("/proc/self/mountinfo", std::size_t{16} << 20);
  if (!mounts) return true;
  const std::string prefix = folder == "/" ? "/" : folder + "/";
  for (const std::string& line : split(*mounts, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() > 4 && fields[4] != "/" && fields[4].starts_with(prefix)) return true;
  }
  return false;
}

[[noreturn]] void throw_failure(const std::string& program, const std::string& file,
                                const std::string& stage, int error) {
  const std::string name = in_backticks(program);
  if (stage != "exec") throw system_error("cannot start " + name + ": cannot " + stage, error);
  struct stat status {};
  const bool there = ::stat(file.c_str(), &status) == 0;
  switch (error) {
    case ENOENT:
      if (!there) throw Error(name + " is not found");
      throw Error(name + " cannot run: the interpreter it names is not found")
          .help(
              "the program may be made for another system; install one from this system's "
              "packages");
    case EACCES:
      if (there && S_ISDIR(status.st_mode)) throw Error(name + " is a folder, not a program");
      throw Error(name + " is not executable");
    case ENOEXEC:
      throw Error(name + " is not a program that this machine can run");
    default:
      throw system_error("cannot start " + name, error);
  }
}

/// Blocks every signal, and puts the old mask back.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

std::string find_program(const std::string& name) {
  if (name.empty()) return {};
  if (name.find('/') != std::string::npos) return name;
  const char* path = std::getenv("PATH");
  for (const std::string& folder :
       split(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path, ':')) {
    // An empty entry would mean the current folder; nobody wants that of a launcher.
    std::string file = folder + "/" + name;
    if (!folder.empty() && executable(file)) return file;
  }
  return {};
}

Child spawn(const SpawnOptions& options) {
  if (options.argv.empty()) throw Error("cannot start a program without a name");
  const std::string& program = options.argv.front();
  std::string file = find_program(program);
  if (file.empty()) throw Error(in_backticks(program) + " is not found");
  // Relative to where we are, not to where the child will be.
  if (!options.working_folder.empty()) file = std::filesystem::absolute(file).string();

  std::map<int, int> descriptors = options.descriptors;
  UniqueFd null, out, err;
  if (!descriptors.contains(0)) {
    null.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null) throw system_error("cannot open `/dev/null`", errno);
    descriptors[0] = null.get();
  }
  if (!options.stdout_path.empty()) {
    out = open_log(options.stdout_path);
    descriptors[1] = out.get();
  }
  if (!options.stderr_path.empty()) {
    if (options.stderr_path != options.stdout_path) err = open_log(options.stderr_path);
    descriptors[2] = err ? err.get() : out.get();
  }
  // Where ours are closed, the child still gets something: programs misbehave without.
  for (const int standard : {1, 2}) {
    if (descriptors.contains(standard)) continue;
    const bool open = ::fcntl(standard, F_GETFD) >= 0;
    if (!open && !null) null.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
    descriptors[standard] = open ? standard : null.get();
  }
  std::vector<detail::ChildPlan::Move> moves;
  moves.reserve(descriptors.size());
  for (const auto& [to, from] : descriptors) moves.push_back({.from = from, .to = to});

  std::vector<std::string> argv = options.argv;
  std::vector<std::string> environment = child_environment(options.environment);
  const std::vector<char*> argv_pointers = pointers(argv);
  const std::vector<char*> environment_pointers = pointers(environment);

  detail::ChildPlan plan;
  plan.file = file.c_str();
  plan.argv = argv_pointers.data();
  plan.environment = environment_pointers.data();
  plan.moves = moves.data();
  plan.move_count = moves.size();
  plan.new_session = options.new_session;
  plan.die_with_parent = options.die_with_parent;
  plan.announce = options.announce;
  plan.parent = ::getpid();
  if (!options.working_folder.empty()) plan.working_folder = options.working_folder.c_str();

  std::string readonly, uid_map, gid_map;
  if (!options.readonly_folder.empty()) {
    std::error_code error;
    readonly = std::filesystem::canonical(options.readonly_folder, error).string();
    if (error) {
      throw system_error("cannot use the folder " + in_backticks(options.readonly_folder),
                         error.value());
    }
    plan.readonly_folder = readonly.c_str();
    plan.readonly_flags = mount_flags(readonly);
    plan.readonly_single = !mounts_below(readonly);
  }
  if (options.user_namespace) {
    plan.user_namespace = true;
    uid_map = "0 " + std::to_string(::geteuid()) + " 1\n";
    gid_map = "0 " + std::to_string(::getegid()) + " 1\n";
    plan.uid_map = uid_map.c_str();
    plan.gid_map = gid_map.c_str();
  }
  if (options.block_signals) {
    for (const int signal : {SIGTERM, SIGHUP, SIGINT}) ::sigaddset(&plan.mask, signal);
  }

  std::vector<std::byte> stack(std::size_t{64} << 10);
  int pidfd = -1;
  pid_t pid = -1;
  int error = 0;
  {
    const SignalsBlocked blocked;
    // As vfork, but on a stack of its own: no copy of page tables, and it works where memory for a
    // second process would not be granted. Returns when the child has run exec or ended.
    auto top = reinterpret_cast<std::uintptr_t>(stack.data() + stack.size()) & ~std::uintptr_t{15};
    pid = ::clone(detail::run_child, reinterpret_cast<void*>(top),
                  CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
    error = errno;
  }
  if (pid < 0) throw system_error("cannot start " + in_backticks(program), error);
  Child child;
  child.pidfd.reset(pidfd);
  if (plan.stage != nullptr) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    throw_failure(program, file, plan.stage, plan.error);
  }
  child.id = identify_child(pid);
  return child;
}

}  // namespace qlaunch
