// SPDX-License-Identifier: MIT
#include "host/bridge.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/spawn.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>

namespace qlaunch {

namespace {

constexpr auto patience = std::chrono::seconds(10);

/// The descriptor that lies in the socket; none where nothing was sent.
UniqueFd take_descriptor(int socket) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return {};
  const cmsghdr* part = CMSG_FIRSTHDR(&message);
  if (part == nullptr || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) return {};
  int number = -1;
  std::memcpy(&number, CMSG_DATA(part), sizeof number);
  return UniqueFd(number);
}

/// What to do about what the helper says; it has no codes for it.
std::string advice(const std::string& said, const std::string& helper, const std::string& bridge) {
  const auto says = [&](const char* words) { return said.find(words) != std::string::npos; };
  if (says("default acl file") || says("access denied by acl"))
    return "allow it: echo " + shell_quote("allow " + bridge) +
           " | sudo tee -a /etc/qemu/bridge.conf";
  if (says("/dev/net/tun: Permission denied"))
    return "let users open it, as most systems do: sudo chmod 666 /dev/net/tun";
  if (says("No such device"))
    return "`ip link show type bridge` lists the bridges of this host; mode = \"user\" needs none";
  if (says("Operation not permitted"))
    return "it has to be setuid root: sudo chmod u+s " + shell_quote(helper);
  return "`qlaunch doctor` looks at the helper and its list of bridges";
}

}  // namespace

UniqueFd open_bridge_tap(const std::string& helper, const std::string& bridge) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw system_error("cannot make a pair of sockets", errno);
  const UniqueFd ours(ends[0]), theirs(ends[1]);
  SpawnOptions options;
  options.argv = {helper, "--use-vnet", "--fd=3", "--br=" + bridge};
  options.descriptors[3] = theirs.get();
  const auto done = run_and_capture(options, patience, std::size_t{1} << 16);
  if (auto tap = take_descriptor(ours.get()); done.ok() && tap) return tap;
  const std::string said(trim(done.err));
  Error error("cannot join the bridge " + in_backticks(bridge) + ": " +
              (said.empty() ? helper + " ended with " + describe_exit(done.status) : said));
  throw std::move(error).help(advice(said, helper, bridge));
}

}  // namespace qlaunch
