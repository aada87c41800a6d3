// SPDX-License-Identifier: MIT
#include "vm/ssh_connection.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/reach_port.hpp"
#include "guest/ssh_answers.hpp"
#include "guest/ssh_identity.hpp"
#include "host/capture.hpp"
#include "host/files.hpp"
#include "host/lock.hpp"
#include "host/paths.hpp"
#include "host/programs.hpp"
#include "host/socket.hpp"
#include "vm/guest_address.hpp"
#include "vm/journal.hpp"
#include "vm/record.hpp"
#include "vm/ssh_host_key.hpp"
#include "vm/ssh_profile.hpp"
#include "vm/wait.hpp"
#include "vm/waiting.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// For a server of a guest that should be up already.
constexpr auto short_patience = std::chrono::seconds(15);
/// Beyond what ssh was told, for its own work.
constexpr auto spare = std::chrono::seconds(20);
/// For an answer through a connection that stands; then it is looked whether the guest can.
constexpr auto answer_patience = std::chrono::seconds(1);
constexpr auto slow_answer_patience = std::chrono::seconds(5);
constexpr std::size_t ssh_output_limit = std::size_t{64} << 10;

constexpr const char* control_prefix = "ssh-";
/// ssh makes it under a longer name first: this and sixteen random letters.
constexpr std::size_t control_suffix = 17;

/// Its server cannot keep sessions apart that share a connection.
std::string unshared_mark(const std::string& runtime) {
  return runtime + "/ssh.unshared";
}

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

/// Somebody has been in during this run: its server need not be waited for.
std::string answered_mark(const LiveRecord& live) {
  return live.plan.paths.runtime + "/ssh.answered";
}

bool has_answered(const LiveRecord& live) {
  return file_fact(answered_mark(live)).kind != FileFact::Kind::missing;
}

/// Which socket it is: a new one at the same path is another.
std::optional<std::pair<dev_t, ino_t>> identity_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || lstat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

/// How long ago QEMU was started.
Duration run_time(const LiveRecord& live) {
  const auto usage = process_usage(live.qemu);
  return usage ? Duration(usage->uptime) : Duration(0);
}

/// Not those above it: a VM that is removed meanwhile would leave its name taken by a folder.
std::string make_ssh_folder(const VmPaths& paths) {
  auto folder = ssh_folder(paths);
  if (mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST) return folder;
  if (errno == ENOENT)
    throw StateError("the VM in " + in_backticks(paths.data) + " was removed or renamed meanwhile");
  throw system_error("cannot make the folder " + in_backticks(folder), errno);
}

class Opening {
 public:
  Opening(SshLink& link, const LiveRecord& live, const SshWish& wish)
      : link_(link), live_(live), wish_(wish), key_(link, live) {
    auto patience = std::max<Duration>(live.plan.ready.timeout - run_time(live), short_patience);
    deadline_ = Clock::now() + wish.timeout.value_or(patience);
  }

  SshDoor run(std::optional<Error>& refusal) {
    const auto probed = identity_of(link_.control);
    if (stands() && serves()) return SshDoor::open;
    if (link_.control.empty()) {
      // ssh itself would wait for ever.
      refuse_paused();
      if (!has_answered(live_)) await_server();
      learn_host_key();
      note_answer();
      return SshDoor::open;
    }
    FileLock lock(link_.control + ".lock");
    if (!lock.lock(deadline_)) throw too_long();
    if (stands()) {
      if (identity_of(link_.control) != probed) return SshDoor::open;  // made meanwhile
      retire();
    }
    if (!shareable()) return SshDoor::open;
    if (!has_answered(live_)) await_server();
    return make(refusal);
  }

 private:
  bool stands() const { return !link_.control.empty() && try_connect_unix(link_.control); }

  /// Another command may have found out meanwhile.
  bool shareable() {
    if (file_fact(unshared_mark(live_.plan.paths.runtime)).kind == FileFact::Kind::missing)
      return true;
    link_.control.clear();
    key_.look();
    return false;
  }

  /// A guest that has gone back to a snapshot, or has crashed, knows nothing of a connection which
  /// stands on this side; who would use it would wait for ever.
  bool serves() const {
    if (answers_within(answer_patience)) return true;
    refuse_paused();
    return answers_within(slow_answer_patience);
  }

  bool answers_within(Clock::duration patience) const {
    SpawnOptions options;
    options.argv = ssh_ask_argv(ssh_program(), link_.control);
    const auto left =
        std::clamp<Clock::duration>(deadline_ - Clock::now(), answer_patience / 4, patience);
    const auto done =
        capture(std::move(options), std::chrono::duration_cast<std::chrono::milliseconds>(left),
                ssh_output_limit);
    if (wish_.interrupted()) throw Error("interrupted");
    // Where the guest says that it knows of no connection, this side's ends.
    return done.end == CaptureEnd::by_itself && stands();
  }

  /// Sessions that still use it, and a guest that is only slow, are left alone.
  void retire() const {
    run_and_capture(ssh_stop_argv(ssh_program(), link_.control), answer_patience);
    unlink(link_.control.c_str());
  }

  int seconds_left() const {
    const auto left = std::chrono::ceil<std::chrono::seconds>(deadline_ - Clock::now()).count();
    return static_cast<int>(std::clamp<long long>(left, 1, 86400));
  }

  void await_server() const {
    WaitFor what;
    what.when.kind = ReadyWhen::Kind::ssh;
    const bool forwarded = ssh_forward(live_) != nullptr;
    wish_.step(forwarded ? describe(what, live_.name)
                         : "ssh on " + link_.host + ':' + std::to_string(link_.port));
    const auto left = std::chrono::duration_cast<Duration>(deadline_ - Clock::now());
    try {
      if (!forwarded) {
        reach_port(link_.host, link_.port, deadline_, wish_.interrupted);
        return;
      }
      if (!wait_for(live_.name, what, std::max(left, Duration(1)), wish_.interrupted))
        throw Error("interrupted");
    } catch (TimeoutError& error) {
      refuse_paused();
      throw error.help("`qlaunch log " + shell_quote(live_.name) +
                       "` shows what the guest says on its serial port; `--timeout` waits longer");
    }
  }

  void refuse_paused() const {
    if (look(live_.name).state != VmState::paused) return;
    throw StateError("VM " + in_backticks(live_.name) + " is paused: its guest cannot answer")
        .help("`qlaunch resume " + shell_quote(live_.name) + "` lets it go on");
  }

  /// The session that comes then, or that another program makes, has only the known key to go by.
  void learn_host_key() {
    FileLock learning(link_.known_hosts + ".lock");
    if (hold(learning))
      get_to_server(ssh_greeting_argv);
    else
      key_.look();
  }

  /// Two that learn a key at once would take each other's for the guest's. False: it is known.
  bool hold(FileLock& learning) {
    if (key_.shown()) return false;
    if (!learning.lock(deadline_)) throw too_long();
    return !key_.shown();
  }

  SshDoor make(std::optional<Error>& refusal) {
    FileLock learning(link_.known_hosts + ".lock");
    hold(learning);
    for (;;) {
      const auto failure = get_to_server(ssh_master_argv);
      if (!failure) return SshDoor::open;
      if (link_.only_these_keys) {
        // An image that was not told of the VM's key may know one of the agent's.
        link_.only_these_keys = false;
        continue;
      }
      link_.control.clear();
      refusal.emplace(refused(*failure));
      return SshDoor::locked;
    }
  }

  using Argv = std::vector<std::string>(const std::string& program, const SshLink& link,
                                        int seconds);

  /// Until its host key is known and accepted. Nothing where it then let us in.
  std::optional<SshFailure> get_to_server(Argv& argv) {
    for (;;) {
      wish_.step("connecting to " + link_.alias);
      key_.look();
      auto failure = try_once(argv(ssh_program(), link_, seconds_left()));
      if (!failure || failure->obstacle == SshObstacle::login) {
        key_.confirm();
        note_answer();
        return failure;
      }
      if (wish_.interrupted()) throw Error("interrupted");
      if (failure->obstacle == SshObstacle::host_key) {
        key_.learn_other();
      } else if (!std::exchange(again_, true) && Clock::now() < deadline_) {
        // It was there before: it restarts, or the guest does.
        await_server();
      } else {
        throw unreached(*failure);
      }
    }
  }

  /// Nothing where it ended well.
  std::optional<SshFailure> try_once(std::vector<std::string> argv) {
    SpawnOptions options;
    options.argv = std::move(argv);
    // A shared connection stays, and is to keep no disk from being unmounted.
    options.working_folder = "/";
    const auto done = capture(std::move(options), seconds_left() * std::chrono::seconds(1) + spare,
                              ssh_output_limit);
    if (done.end != CaptureEnd::by_itself || !done.output.ok())
      return read_ssh_failure(done.output.err);
    if (shares_badly(done.output.err)) stop_sharing();
    return std::nullopt;
  }

  void stop_sharing() {
    run_and_capture(ssh_exit_argv(ssh_program(), link_.control), std::chrono::seconds(5));
    write_file_atomic(unshared_mark(live_.plan.paths.runtime), "", 0600, Durability::quick);
    link_.control.clear();
  }

  void note_answer() const {
    if (has_answered(live_)) return;
    try {
      write_file_atomic(answered_mark(live_), "", 0600, Durability::quick);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // Its folder went at a logout: it is waited for each time then.
    }
  }

  Error too_long() const {
    return TimeoutError("another command has been connecting to VM " + in_backticks(live_.name) +
                        " for too long");
  }

  Error refused(const SshFailure& failure) const {
    const auto user =
        link_.user.empty() ? std::string("this user") : "the user " + in_backticks(link_.user);
    Error error("the guest of VM " + in_backticks(live_.name) + " does not let " + user +
                " in: " + failure.said);
    error.help("`qlaunch ssh USER@" + live_.name + "` logs in as somebody else");
    if (live_.plan.guest.user.empty())
      error.help("`user = \"NAME\"` in [guest] makes a user whose keys are known");
    return error;
  }

  Error unreached(const SshFailure& failure) const {
    if (Clock::now() >= deadline_) refuse_paused();
    Error error("no ssh connection to VM " + in_backticks(live_.name) + " comes about" +
                (failure.said.empty() ? "" : ": " + failure.said));
    error.help("`qlaunch log " + shell_quote(live_.name) +
               "` shows what the guest says on its serial port");
    return error;
  }

  SshLink& link_;
  const LiveRecord& live_;
  const SshWish& wish_;
  GuestHostKey key_;
  Clock::time_point deadline_;
  bool again_ = false;
};

}  // namespace

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

SshDoor open_ssh(SshLink& link, const LiveRecord& live, const SshWish& wish,
                 std::optional<Error>& refusal) {
  return Opening(link, live, wish).run(refusal);
}

UniqueFd connect_ssh(const SshLink& link, const SshWish& wish) {
  return reach_port(link.host, link.port, Clock::now() + wish.timeout.value_or(short_patience),
                    wish.interrupted);
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
