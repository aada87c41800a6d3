// SPDX-License-Identifier: MIT
#include "vm/ssh_forwards.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/capture.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "host/socket.hpp"
#include "vm/ssh_connection.hpp"

namespace qlaunch {
namespace {

constexpr auto ssh_open_patience = std::chrono::seconds(5);
constexpr auto ssh_command_patience = std::chrono::seconds(5);
constexpr std::size_t ssh_text_limit = std::size_t{2} << 20;
/// ssh makes its socket under a longer name first.
constexpr std::size_t ssh_socket_suffix = 17;

std::string spec_of(const Listener& listener, std::uint16_t host_port) {
  const bool six = listener.address.find(':') != std::string::npos;
  return "127.0.0.1:" + std::to_string(host_port) + ':' +
         (six ? '[' + listener.address + ']' : listener.address) + ':' +
         std::to_string(listener.port);
}

}  // namespace

// It begins as those of sessions do, and so is ended with them when the VM has ended.
SshForwards::SshForwards(const LiveRecord& live)
    : live_(live), socket_(live.plan.paths.runtime + "/ssh-ports") {}

bool SshForwards::stands() const {
  return static_cast<bool>(try_connect_unix(socket_));
}

void SshForwards::open(const std::function<bool()>& interrupted) {
  if (stands()) return;
  if (socket_.size() + ssh_socket_suffix > longest_socket_path)
    throw Error("the path of the VM's runtime folder is too long for a socket of ssh's");
  SshWish wish;
  wish.timeout = ssh_open_patience;
  wish.interrupted = interrupted;
  // With the ports that were learned since.
  const auto live = read_live(live_.name).value_or(live_);
  auto link = ssh_link(live, wish);
  // A connection of sessions learns the way: which keys, which host key.
  std::optional<Error> refusal;
  if (open_ssh(link, live, wish, refusal) == SshDoor::locked)
    throw refusal ? *refusal : Error("the guest lets nobody in by ssh");
  link.control = socket_;
  // Of a connection that was killed: ssh would make none that others can use.
  remove_tree(socket_);
  SpawnOptions options;
  options.argv = ssh_master_argv(ssh_program(), link, 5);
  // The first value counts. It stays as long as the VM does, and notices when the guest has gone.
  options.argv.insert(
      options.argv.begin() + 1,
      {"-o", "ControlPersist=yes", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"});
  options.working_folder = "/";
  const auto done = capture(std::move(options), ssh_open_patience * 2, ssh_text_limit);
  if (done.end == CaptureEnd::by_itself && done.output.ok()) return;
  const auto said = split(trim(done.output.err), '\n');
  throw Error("no ssh connection for ports comes about" +
              (said.back().empty() ? "" : ": " + printable(said.back())));
}

/// What ssh complains about; empty where it did as it was told.
std::string SshForwards::control(const std::vector<std::string>& words) const {
  SpawnOptions options;
  options.argv = {ssh_program(), "-F", "none", "-o", "ControlPath=" + ssh_path(socket_)};
  options.argv.insert(options.argv.end(), words.begin(), words.end());
  options.argv.insert(options.argv.end(), {"--", "x"});
  const auto done = capture(std::move(options), ssh_command_patience, ssh_text_limit);
  if (done.end == CaptureEnd::by_itself && done.output.ok()) return {};
  const auto said = std::string(trim(done.output.err));
  return said.empty() ? "ssh does not answer" : printable(said);
}

std::string SshForwards::run(const std::string& command) const {
  SpawnOptions options;
  options.argv = {ssh_program(),
                  "-F",
                  "none",
                  "-o",
                  "ControlPath=" + ssh_path(socket_),
                  "-o",
                  "ControlMaster=no",
                  "-o",
                  "BatchMode=yes",
                  "-T",
                  "--",
                  "x",
                  command};
  const auto done = capture(std::move(options), ssh_command_patience, ssh_text_limit);
  if (done.end == CaptureEnd::by_itself && done.output.ok()) return done.output.out;
  throw Error("the guest does not answer through ssh");
}

bool SshForwards::check() {
  if (!stands()) return false;
  try {
    run("exit 0");
    return true;
  } catch (const Error&) {
    close();
    return false;
  }
}

void SshForwards::close() noexcept {
  try {
    if (stands()) control({"-O", "exit"});
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // It ends by itself when the guest is gone.
  }
}

void SshForwards::add(const Listener& listener, std::uint16_t host_port) {
  const auto said = control({"-O", "forward", "-L", spec_of(listener, host_port)});
  if (!said.empty()) throw Error("ssh does not forward the port: " + said);
}

void SshForwards::remove(const Listener& listener, std::uint16_t host_port) noexcept {
  try {
    if (stands()) control({"-O", "cancel", "-L", spec_of(listener, host_port)});
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch)
    // As above.
  }
}

std::vector<Listener> SshForwards::listeners(const AskedProtocols& asked) {
  // A kernel without IPv6 has only half of them.
  const auto text =
      run("cat /proc/net/tcp /proc/net/tcp6 2>/dev/null; echo; echo =; cat "
          "/proc/net/udp /proc/net/udp6 2>/dev/null; exit 0");
  const auto middle = text.find("\n=\n");
  if (middle == std::string::npos) throw Error("the guest has no tables of its sockets");
  std::vector<Listener> all;
  if (asked.tcp) all = parse_listeners(text.substr(0, middle), Protocol::tcp);
  if (!asked.udp) return all;
  for (auto& listener : parse_listeners(text.substr(middle), Protocol::udp))
    all.push_back(std::move(listener));
  return all;
}

}  // namespace qlaunch
