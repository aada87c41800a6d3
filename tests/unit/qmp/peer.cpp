// SPDX-License-Identifier: MIT
#include "peer.hpp"

#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <nlohmann/json.hpp>

#include <sys/socket.h>
#include <unistd.h>

namespace test {

bool Stage::say(std::string_view text) {
  while (!text.empty()) {
    const auto n = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool Stage::more() {
  std::array<char, 4096> buffer{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(16 * sizeof(int))> control{};
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const auto n = ::recvmsg(fd_, &message, MSG_CMSG_CLOEXEC);
  if (n <= 0) return false;
  for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    const auto count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const auto old = fds_.size();
    fds_.resize(old + count);
    std::memcpy(fds_.data() + old, CMSG_DATA(header), count * sizeof(int));
  }
  heard_.append(buffer.data(), static_cast<std::size_t>(n));
  return true;
}

std::string Stage::hear() {
  for (;;) {
    // A message is complete at its closing brace; a line end may follow, or not.
    heard_.erase(0, heard_.find_first_not_of("\r\n"));
    for (auto end = heard_.find('}'); end != std::string::npos; end = heard_.find('}', end + 1)) {
      auto text = heard_.substr(0, end + 1);
      if (!nlohmann::json::accept(text)) continue;
      heard_.erase(0, end + 1);
      return text;
    }
    if (!more()) return {};
  }
}

std::string Stage::hear_bytes(std::size_t least) {
  while (heard_.size() < least && more()) {
  }
  return hear();
}

void Stage::hear_byte(char wanted) {
  for (;;) {
    if (const auto at = heard_.find(wanted); at != std::string::npos) {
      heard_.erase(0, at + 1);
      return;
    }
    if (!more()) return;
  }
}

void Stage::open() {
  say(greeting);
  answer(hear(), "{}");
}

void Stage::answer(const std::string& command, const std::string& value) {
  if (command.empty()) return;
  const auto id = nlohmann::json::parse(command).at("id").dump();
  line(R"({"return": )" + value + R"(, "id": )" + id + "}");
}

void Stage::refuse(const std::string& command, const std::string& error_class,
                   const std::string& desc) {
  if (command.empty()) return;
  const nlohmann::json reply = {{"id", nlohmann::json::parse(command).at("id")},
                                {"error", {{"class", error_class}, {"desc", desc}}}};
  line(reply.dump());
}

void Stage::wait_for_close() {
  while (more()) heard_.clear();
}

Peer::Peer(std::function<void(Stage&)> script) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw std::runtime_error("socketpair");
  }
  mine_ = ends[0];
  theirs_ = ends[1];
  thread_ = std::thread([fd = mine_, script = std::move(script)] {
    Stage stage(fd);
    script(stage);
    ::close(fd);
  });
}

int Peer::take() {
  return std::exchange(theirs_, -1);
}

Peer::~Peer() {
  if (theirs_ >= 0) ::close(theirs_);
  thread_.join();
}

}  // namespace test
