// SPDX-License-Identifier: MIT
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/ssh_config.hpp"
#include "core/error.hpp"
#include "core/quote.hpp"
#include "vm/catalog.hpp"
#include "vm/ssh_connection.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

namespace qlaunch {
namespace {

/// As ssh's ProxyUseFdpass takes it: one byte, and the descriptor beside it.
void hand_over(int connection) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &connection, sizeof connection);
  ssize_t sent = -1;
  do {
    sent = sendmsg(STDOUT_FILENO, &message, 0);
  } while (sent < 0 && errno == EINTR);
  if (sent == 1) return;
  if (errno == ENOTSOCK)
    throw UsageError("`ssh-connect` hands a connection to ssh, and this is no socket of ssh's")
        .help("`qlaunch ssh VM` logs in; `qlaunch ssh-config` is for ssh itself");
  throw system_error("cannot hand the connection to ssh", errno);
}

}  // namespace

void add_ssh_connect(CLI::App& app, SshConnectOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name");
}

int ssh_connect(const SshConnectOptions& options, Terminal& /*terminal*/) {
  const auto live = require_running(find_vm(options.vm));
  const InterruptGuard guard;
  SshWish wish;
  wish.share = false;
  wish.interrupted = InterruptGuard::interrupted;
  auto link = ssh_link(live, wish);
  std::optional<Error> refusal;
  open_ssh(link, live, wish, refusal);
  hand_over(connect_ssh(link, wish).get());
  return 0;
}

}  // namespace qlaunch
