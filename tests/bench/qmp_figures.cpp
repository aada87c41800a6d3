// SPDX-License-Identifier: MIT
// Compares libqmp with a minimal C client, on the same QEMU and socket, in one run and in turn, and
// with nlohmann's bare parser. Ends with 1 if a bound is broken.
#include "qmp/client.hpp"
#include "qmp/requests.hpp"
#include "qmp/session.hpp"
#include "qmp/sync.hpp"
#include "qmp_raw.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace asio = boost::asio;
using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Work = std::function<void()>;

bool all_within = true;

/// What a clock shows, in microseconds.
double wall() {
  return std::chrono::duration<double, std::micro>(Clock::now().time_since_epoch()).count();
}
/// The same for this thread's own time: what only computes is measured by that, because a pause
/// that another process causes is longer than the whole work.
double processor() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double taken(double (*clock)(), const Work& work) {
  const double start = clock();
  work();
  return clock() - start;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void report(const char* what, const std::string& value, const std::string& bound, bool within) {
  all_within = all_within && within;
  std::printf("%-34s %-52s %-20s %s\n", what, value.c_str(), bound.c_str(),
              within ? "ok" : "BROKEN");
  std::fflush(stdout);
}

std::string text(const char* format, auto... values) {
  char buffer[160];
  std::snprintf(buffer, sizeof buffer, format, values...);
  return buffer;
}

/// Runs both in turn and compares their medians; what it costs per piece of `pieces`.
void compare(const char* what, int rounds, int pieces, double bound, double (*clock)(),
             const Work& theirs, const Work& ours) {
  std::vector<double> raw;
  std::vector<double> mine;
  theirs();
  ours();
  for (int i = 0; i < rounds; ++i) {
    raw.push_back(taken(clock, theirs) / pieces);
    mine.push_back(taken(clock, ours) / pieces);
  }
  const double ratio = median(mine) / median(raw);
  report(what, text("%.1f us, bare %.1f us, ratio %.3f", median(mine), median(raw), ratio),
         text("ratio %.2f", bound), ratio <= bound);
}

/// A QEMU without a machine that listens for QMP.
class Qemu {
 public:
  Qemu() {
    std::string pattern = "/tmp/qmp-bench.XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = pattern;
    path_ = folder_ + "/s";
    const std::string monitor = "unix:" + path_ + ",server=on,wait=off";
    std::vector<std::string> words = {"qemu-system-x86_64", "-machine", "none", "-nodefaults", "-S",
                                      "-display",           "none",     "-qmp", monitor};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    if (::posix_spawnp(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) != 0) {
      throw std::runtime_error("qemu-system-x86_64 cannot be started");
    }
    for (int tries = 0; tries < 1000; ++tries) {
      const int fd = raw_connect(path_.c_str(), 0);
      if (fd >= 0) {
        ::close(fd);
        return;
      }
      ::usleep(10000);
    }
    throw std::runtime_error("QEMU does not answer");
  }
  Qemu(const Qemu&) = delete;
  Qemu& operator=(const Qemu&) = delete;
  ~Qemu() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] const char* path() const { return path_.c_str(); }

 private:
  std::string folder_;
  std::string path_;
  pid_t pid_ = -1;
};

/// QEMU serves one client at a time: each opens, asks and closes.
void raw(const Qemu& qemu, int count, int window) {
  const int fd = raw_connect(qemu.path(), window > 1 ? 1 : 0);
  if (fd < 0 || raw_query(fd, count, window) != 0) throw std::runtime_error("the C client failed");
  ::close(fd);
}

void blocking(const Qemu& qemu, int count) {
  qmp::SyncClient client(qemu.path());
  for (int i = 0; i < count; ++i) client.execute("query-status");
}

/// So many coroutines, each of which asks one thing after the other.
void coroutines(const Qemu& qemu, int count, int window) {
  asio::io_context context(1);
  std::exception_ptr failure;
  asio::co_spawn(
      context,
      [&]() -> asio::awaitable<void> {
        qmp::Options options;
        options.oob = window > 1;
        auto client = co_await qmp::Client::connect(qemu.path(), options);
        int left = count;
        const auto ask = [&]() -> asio::awaitable<void> {
          while (left-- > 0) co_await client.execute("query-status");
        };
        std::vector<asio::awaitable<json>> flight;
        if (window == 1) {
          co_await ask();
        } else {
          for (int i = 0; i < window; ++i) flight.push_back(client.execute("query-status"));
          for (std::size_t i = 0; left > 0; --left, i = (i + 1) % flight.size()) {
            co_await std::move(flight[i]);
            flight[i] = client.execute("query-status");
          }
          for (auto& reply : flight) co_await std::move(reply);
        }
      },
      [&](const std::exception_ptr& problem) { failure = problem; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

const std::string greeting = R"({"QMP": {"version": {}, "capabilities": []}})"
                             "\r\n";

/// A session past its negotiation.
qmp::Session ready() {
  qmp::Session session;
  session.feed(greeting + "{\"return\": {}, \"id\": 1}\r\n");
  while (session.next()) {
  }
  return session;
}

/// As a client's reads would bring it.
void feed(qmp::Session& session, const std::string& bytes,
          const std::function<void(qmp::Message&)>& take) {
  constexpr std::size_t piece = 65536;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    session.feed(std::string_view(bytes).substr(at, piece));
    while (auto message = session.next()) take(*message);
  }
}

/// The bytes that QEMU sends.
std::string schema_reply(const Qemu& qemu) {
  const int fd = raw_connect(qemu.path(), 0);
  const std::string command = R"({"execute":"query-qmp-schema","id":2})";
  std::string reply;
  if (::write(fd, command.data(), command.size()) < 0) throw std::runtime_error("write");
  char buffer[65536];
  while (reply.empty() || reply.back() != '\n') {
    const auto n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) throw std::runtime_error("no schema came");
    reply.append(buffer, static_cast<std::size_t>(n));
  }
  ::close(fd);
  return reply;
}

void parsing(const Qemu& qemu) {
  const auto line = schema_reply(qemu);
  const auto members = json::parse(line)["return"].size();
  compare(
      text("schema reply of %zu KB", line.size() / 1000).c_str(), 31, 1, 1.3, processor,
      [&] {
        const auto parsed = json::parse(line);
        if (parsed["return"].size() != members) std::abort();
      },
      [&] {
        auto session = ready();
        session.execute("query-qmp-schema");
        std::size_t size = 0;
        feed(session, line,
             [&](qmp::Message& message) { size = std::get<qmp::Reply>(message).value.size(); });
        if (size != members) std::abort();
      });

  constexpr int count = 100000;
  std::string events;
  for (int i = 0; i < count; ++i) {
    events += R"({"timestamp": {"seconds": 1700000000, "microseconds": )" + std::to_string(i) +
              R"(}, "event": "RTC_CHANGE", "data": {"offset": )" + std::to_string(i) +
              R"(, "qom-path": "/machine/unattached/device[7]"}})" + "\r\n";
  }
  std::vector<double> times;
  for (int round = 0; round < 7; ++round) {
    auto session = ready();
    int seen = 0;
    times.push_back(taken(processor, [&] {
      feed(session, events, [&](qmp::Message& message) {
        if (std::get<qmp::Event>(message).data["offset"] == seen) ++seen;
      });
    }));
    if (seen != count) std::abort();
  }
  const double rate = count / median(times) * 1e6;
  report("100 000 events from memory", text("%.0f a second", rate), "500000 a second",
         rate >= 500000);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const Qemu qemu;
    if (argc > 1 && std::string(argv[1]) == "parsing") {
      parsing(qemu);
      return all_within ? 0 : 1;
    }
    constexpr int many = 100;
    compare(
        "query-status, blocking", 101, many, 1.10, wall, [&] { raw(qemu, many, 1); },
        [&] { blocking(qemu, many); });
    compare(
        "query-status, coroutines", 101, many, 1.10, wall, [&] { raw(qemu, many, 1); },
        [&] { coroutines(qemu, many, 1); });
    compare(
        "window of 8, out-of-band enabled", 101, many, 1.10, wall, [&] { raw(qemu, many, 8); },
        [&] { coroutines(qemu, many, 8); });
    compare(
        "connect, one command, close", 101, 1, 1.15, wall, [&] { raw(qemu, 1, 1); },
        [&] { blocking(qemu, 1); });
    parsing(qemu);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "error: %s\n", problem.what());
    return 1;
  }
  return all_within ? 0 : 1;
}
