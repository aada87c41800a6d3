// SPDX-License-Identifier: MIT
#include "host/ssh_agent.hpp"

#include "core/text.hpp"
#include "host/files.hpp"
#include "plan/base64.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;

// draft-miller-ssh-agent: a length of four bytes, a type of one, then what belongs to it.
constexpr char request_identities = 11;
constexpr char identities_answer = 12;
constexpr std::size_t longest_answer = std::size_t{1} << 20;

std::optional<std::uint32_t> number(std::string_view& bytes) {
  if (bytes.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t index = 0; index < 4; ++index)
    value = (value << 8U) | static_cast<unsigned char>(bytes[index]);
  bytes.remove_prefix(4);
  return value;
}

std::optional<std::string_view> text(std::string_view& bytes) {
  const auto size = number(bytes);
  if (!size || *size > bytes.size()) return std::nullopt;
  const auto value = bytes.substr(0, *size);
  bytes.remove_prefix(*size);
  return value;
}

UniqueFd connect_to(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.size() >= sizeof address.sun_path) return {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto* raw = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  if (!fd || connect(fd.get(), raw, sizeof address) != 0) return {};
  return fd;
}

/// So many bytes; fewer where the deadline or the end came first.
std::string receive(int fd, std::size_t size, Clock::time_point deadline) {
  std::string out;
  while (out.size() < size) {
    const auto rest =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd entry{fd, POLLIN, 0};
    if (rest <= 0 || poll(&entry, 1, static_cast<int>(rest)) <= 0) break;
    std::array<char, 4096> bytes{};
    const auto got = recv(fd, bytes.data(), std::min(bytes.size(), size - out.size()), 0);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got <= 0) break;
    out.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return out;
}

}  // namespace

std::vector<std::string> parse_agent_answer(std::string_view answer) {
  std::vector<std::string> keys;
  if (answer.empty() || answer.front() != identities_answer) return keys;
  answer.remove_prefix(1);
  const auto count = number(answer);
  for (std::uint32_t index = 0; count && index < *count; ++index) {
    const auto blob = text(answer);
    const auto comment = text(answer);
    if (!blob || !comment) return keys;
    auto inner = *blob;
    const auto kind = text(inner);
    // Certificates are signed keys, not keys that a guest could be told to accept.
    if (!kind || kind->empty() || kind->find("-cert-") != std::string_view::npos) continue;
    auto line = printable(*kind) + ' ' + planner::base64(*blob);
    if (const auto words = printable(trim(*comment)); !words.empty()) line += ' ' + words;
    keys.push_back(std::move(line));
  }
  return keys;
}

std::vector<std::string> agent_keys(const std::string& socket, std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  const auto fd = connect_to(socket);
  constexpr std::array<char, 5> request{0, 0, 0, 1, request_identities};
  if (!fd || send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
                 static_cast<ssize_t>(request.size()))
    return {};
  const auto head = receive(fd.get(), 4, deadline);
  std::string_view bytes = head;
  const auto size = number(bytes);
  if (!size || *size > longest_answer) return {};
  const auto answer = receive(fd.get(), *size, deadline);
  return answer.size() == *size ? parse_agent_answer(answer) : std::vector<std::string>{};
}

}  // namespace qlaunch
