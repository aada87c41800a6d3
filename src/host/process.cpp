// SPDX-License-Identifier: MIT
#include "host/process.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <limits>

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace qlaunch {

namespace {

/// What is needed of /proc/PID/stat; see proc(5).
struct Stat {
  std::string name;
  char state = 0;
  unsigned long long user_time = 0, system_time = 0, start_time = 0;
  std::uint64_t resident_pages = 0;
};

std::optional<Stat> parse_stat(const std::string& text) {
  // The name may hold spaces and parentheses: it ends at the last one.
  const auto open = text.find('(');
  const auto close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close + 2 > text.size()) {
    return std::nullopt;
  }
  const auto fields = split(std::string_view(text).substr(close + 2), ' ');
  if (fields.size() < 22) return std::nullopt;
  const auto field = [&](std::size_t number) {  // numbered as in proc(5), from the state at 3
    return parse_unsigned(fields[number - 3]).value_or(0);
  };
  Stat stat;
  stat.name = text.substr(open + 1, close - open - 1);
  stat.state = fields[0].empty() ? '?' : fields[0][0];
  stat.user_time = field(14);
  stat.system_time = field(15);
  stat.start_time = field(22);
  stat.resident_pages = field(24);
  return stat;
}

std::optional<Stat> read_stat(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const auto text = try_read_file("/proc/" + std::to_string(pid) + "/stat");
  return text ? parse_stat(*text) : std::nullopt;
}

bool ended(const Stat& stat) {
  return stat.state == 'Z' || stat.state == 'X';
}

/// The living process that is exactly this one.
std::optional<Stat> stat_of(const ProcessId& process) {
  if (!process.boot_id.empty() && process.boot_id != boot_id()) return std::nullopt;
  auto stat = read_stat(process.pid);
  if (!stat || ended(*stat) || stat->start_time != process.start_time) return std::nullopt;
  return stat;
}

std::chrono::milliseconds from_ticks(unsigned long long ticks) {
  static const auto per_second = static_cast<unsigned long long>(::sysconf(_SC_CLK_TCK));
  return std::chrono::milliseconds(static_cast<long long>(ticks * 1000 / per_second));
}

}  // namespace

const std::string& boot_id() {
  static const std::string id = [] {
    const auto text = try_read_file("/proc/sys/kernel/random/boot_id");
    return text ? std::string(trim(*text)) : std::string();
  }();
  return id;
}

std::optional<ProcessId> identify(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat || ended(*stat)) return std::nullopt;
  return ProcessId{.pid = pid, .start_time = stat->start_time, .boot_id = boot_id()};
}

ProcessId identify_child(pid_t pid) {
  const auto stat = read_stat(pid);
  return {.pid = pid, .start_time = stat ? stat->start_time : 0, .boot_id = boot_id()};
}

std::optional<ProcessId> process_in_stat(const std::string& line) {
  const auto pid = parse_unsigned(line.substr(0, line.find(' ')));
  const auto stat = parse_stat(line);
  if (!pid || *pid == 0 || *pid > std::numeric_limits<pid_t>::max() || !stat) return std::nullopt;
  return ProcessId{
      .pid = static_cast<pid_t>(*pid), .start_time = stat->start_time, .boot_id = boot_id()};
}

bool alive(const ProcessId& process) {
  return stat_of(process).has_value();
}

bool stopped(const ProcessId& process) {
  const auto stat = read_stat(process.pid);
  return stat && (stat->state == 'T' || stat->state == 't') && alive(process);
}

UniqueFd open_pidfd(const ProcessId& process) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  // Looked at after the pid cannot be given to another process any more.
  if (fd && !alive(process)) fd.reset();
  return fd;
}

bool wait_exit(int pidfd, std::chrono::steady_clock::time_point deadline) {
  using namespace std::chrono;
  for (;;) {
    const auto left = ceil<milliseconds>(deadline - steady_clock::now());
    const auto wait = std::clamp<long long>(left.count(), 0, 1'000'000'000);
    pollfd entry{.fd = pidfd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(wait));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) throw system_error("cannot wait for a process", errno);
    if (ready == 0 && steady_clock::now() >= deadline) return false;
  }
}

bool send_signal(const ProcessId& process, int signal) {
  const UniqueFd fd = open_pidfd(process);
  if (!fd) return false;
  if (::syscall(SYS_pidfd_send_signal, fd.get(), signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  throw system_error("cannot signal process " + std::to_string(process.pid), errno);
}

std::string process_name(pid_t pid) {
  const auto stat = read_stat(pid);
  return stat ? stat->name : std::string();
}

std::optional<ProcessUsage> process_usage(const ProcessId& process) {
  const auto stat = stat_of(process);
  if (!stat) return std::nullopt;
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const std::chrono::milliseconds since_boot(now.tv_sec * 1000LL + now.tv_nsec / 1'000'000);
  ProcessUsage usage;
  usage.resident = stat->resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  usage.cpu = from_ticks(stat->user_time + stat->system_time);
  usage.uptime = std::max(since_boot - from_ticks(stat->start_time), std::chrono::milliseconds(0));
  return usage;
}

}  // namespace qlaunch
