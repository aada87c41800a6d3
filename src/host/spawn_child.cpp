// SPDX-License-Identifier: MIT
#include "host/spawn_child.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <climits>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

// The child runs on a stack of its own in the parent's memory: instrumentation that believes in one
// stack a thread would report nonsense.
#define QLAUNCH_UNINSTRUMENTED __attribute__((no_sanitize("address", "undefined")))

namespace qlaunch::detail {

namespace {

constexpr const char* exec_stage = "exec";

[[noreturn]] QLAUNCH_UNINSTRUMENTED void fail(ChildPlan& plan, const char* stage) {
  plan.error = errno;
  plan.stage = stage;
  ::_exit(127);
}

constexpr sock_filter load(std::size_t offset) {
  return {BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)};
}

constexpr sock_filter skip_unless(std::uint32_t value, std::uint8_t skip) {
  return {BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value};
}

constexpr sock_filter answer(std::uint32_t value) {
  return {BPF_RET | BPF_K, 0, 0, value};
}

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t architecture = 0;  // matches none
#endif

/// setgroups(0, …) returns 0 and is not carried out. Nobody may give up groups in a namespace that
/// an ordinary user made, for a group may also take rights away; the C virtiofsd ends where it
/// cannot. It keeps the rights that its user has anyway.
constexpr std::array groups_filter{
    load(offsetof(seccomp_data, arch)),
    skip_unless(architecture, 5),
    load(offsetof(seccomp_data, nr)),
    skip_unless(SYS_setgroups, 3),
    // The count is an int: the low half, which is the first one on these architectures.
    load(offsetof(seccomp_data, args)),
    skip_unless(0, 1),
    answer(SECCOMP_RET_ERRNO),
    answer(SECCOMP_RET_ALLOW),
};

QLAUNCH_UNINSTRUMENTED bool write_text(const char* path, const char* text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t length = static_cast<ssize_t>(::strlen(text));
  const bool written = ::write(fd, text, static_cast<std::size_t>(length)) == length;
  const int error = errno;
  ::close(fd);
  errno = error;
  return written;
}

QLAUNCH_UNINSTRUMENTED void enter_user_namespace(ChildPlan& plan) {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) fail(plan, "make a user namespace");
  // An ordinary user may map a group only after giving up setgroups (user_namespaces(7)).
  if (!write_text("/proc/self/setgroups", "deny") && errno != ENOENT) {
    fail(plan, "set up a user namespace");
  }
  if (!write_text("/proc/self/uid_map", plan.uid_map) ||
      !write_text("/proc/self/gid_map", plan.gid_map)) {
    fail(plan, "set up a user namespace");
  }
}

QLAUNCH_UNINSTRUMENTED void pretend_to_drop_groups() {
  auto filter = groups_filter;
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  // Where it fails, the program's own attempt does too, and it says so.
  ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

QLAUNCH_UNINSTRUMENTED void bind_readonly(ChildPlan& plan) {
  constexpr const char* stage = "bind a folder read-only";
  if (!plan.user_namespace && ::unshare(CLONE_NEWNS) != 0) fail(plan, "make a mount namespace");
  const char* folder = plan.readonly_folder;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail(plan, stage);
  const bool root = ::strcmp(folder, "/") == 0;  // nothing can be bound over it
  if (!root && ::mount(folder, folder, nullptr, MS_BIND | MS_REC, nullptr) != 0) fail(plan, stage);
  // Linux 5.12 and later: with all that is mounted below.
  struct {
    std::uint64_t set, clear, propagation, user_namespace_fd;
  } attributes{1 /* MOUNT_ATTR_RDONLY */, 0, 0, 0};
  constexpr unsigned recursive = 0x8000;  // AT_RECURSIVE
  if (::syscall(SYS_mount_setattr, AT_FDCWD, folder, recursive, &attributes, sizeof attributes) ==
      0) {
    return;
  }
  if (errno != ENOSYS || !plan.readonly_single) fail(plan, stage);
  const unsigned long flags = MS_BIND | MS_REMOUNT | MS_RDONLY | plan.readonly_flags;
  if (::mount(nullptr, folder, nullptr, flags, nullptr) != 0) fail(plan, stage);
}

/// One write, so that lines of two children do not mix. Where it fails (a full disk) the launch is
/// not to fail for it.
QLAUNCH_UNINSTRUMENTED void announce(int file) {
  char line[1024];
  const int stat = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (stat < 0) return;
  const ssize_t length = ::read(stat, line, sizeof line);
  ::close(stat);
  if (length > 0 && ::write(file, line, static_cast<std::size_t>(length)) < 0) return;
}

/// Closes [first, end).
QLAUNCH_UNINSTRUMENTED void close_range_of(int first, int end) {
  if (first >= end) return;
  if (::syscall(SYS_close_range, static_cast<unsigned>(first), static_cast<unsigned>(end - 1), 0) ==
      0) {
    return;
  }
  long highest = ::sysconf(_SC_OPEN_MAX);
  if (highest < 0 || highest > 65536) highest = 65536;
  for (int fd = first; fd < end && fd < highest; ++fd) ::close(fd);
}

QLAUNCH_UNINSTRUMENTED void place_descriptors(ChildPlan& plan) {
  constexpr const char* stage = "hand down a descriptor";
  const int highest = plan.moves[plan.move_count - 1].to;
  // A target may be another one's source: first everything goes out of the way.
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    const int copy = ::fcntl(plan.moves[i].from, F_DUPFD_CLOEXEC, highest + 1);
    if (copy < 0) fail(plan, stage);
    plan.moves[i].from = copy;
  }
  int next = 0;
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    const auto& move = plan.moves[i];
    if (::dup2(move.from, move.to) < 0) fail(plan, stage);
    close_range_of(next, move.to);
    next = move.to + 1;
  }
  close_range_of(next, INT_MAX);
}

}  // namespace

QLAUNCH_UNINSTRUMENTED int run_child(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  // All signals are blocked here. Handlers are the parent's and must not run in its memory; ignored
  // signals (SIGPIPE) would stay ignored in the program.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);

  if (plan.new_session && ::setsid() < 0) fail(plan, "make a session");
  if (plan.user_namespace) enter_user_namespace(plan);
  if (plan.readonly_folder != nullptr) bind_readonly(plan);
  if (plan.user_namespace) pretend_to_drop_groups();
  if (plan.working_folder != nullptr && ::chdir(plan.working_folder) != 0) {
    fail(plan, "enter the working folder");
  }
  if (plan.die_with_parent) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(plan, "tie it to its parent");
    // It may have ended before; in another pid namespace getppid says 0, but here it is ours.
    if (::getppid() != plan.parent) ::_exit(127);
  }
  if (plan.announce >= 0) {
    announce(plan.announce);
    // Whoever ends the parent first and then reads the file finds this child in it, or it is gone.
    if (::getppid() != plan.parent) ::_exit(127);
  }
  place_descriptors(plan);
  if (::sigprocmask(SIG_SETMASK, &plan.mask, nullptr) != 0) fail(plan, "set the signal mask");
  ::execve(plan.file, plan.argv, plan.environment);
  fail(plan, exec_stage);
}

}  // namespace qlaunch::detail
