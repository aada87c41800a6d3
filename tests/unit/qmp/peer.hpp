// SPDX-License-Identifier: MIT
// The other end of a socket pair, played by a thread that follows a script.
// Does not answer by itself: a script says each word.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace test {

inline constexpr std::string_view greeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},)"
    R"( "capabilities": ["oob"]}})"
    "\r\n";

/// Long enough that only a hang reaches it.
inline constexpr auto plenty = std::chrono::seconds(20);

/// What a script can do at its end of the connection.
class Stage {
 public:
  explicit Stage(int fd) : fd_(fd) {}

  /// False once the client is gone.
  bool say(std::string_view text);
  void line(const std::string& text) { say(text + "\r\n"); }
  /// Reads until the client has sent one more complete JSON object; empty at the end.
  std::string hear();
  /// The same for a command that is at least so long, without trying each brace.
  std::string hear_bytes(std::size_t least);
  /// Greets, and accepts the capabilities.
  void open();
  /// Answers the id of the command with this value, or refuses it.
  void answer(const std::string& command, const std::string& value);
  void refuse(const std::string& command, const std::string& error_class, const std::string& desc);
  /// Says nothing until the client closes.
  void wait_for_close();
  /// The descriptors that came along since the last time; they pass to the caller.
  std::vector<int> take_fds() { return std::exchange(fds_, {}); }
  /// Reads raw bytes until this one has come.
  void hear_byte(char wanted);

 private:
  bool more();

  int fd_;
  std::string heard_;
  std::vector<int> fds_;
};

/// Runs a script against the descriptor for the client; the client's end is the caller's to adopt.
class Peer {
 public:
  explicit Peer(std::function<void(Stage&)> script);
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer();

  /// The client's end; it passes to the caller.
  int take();

 private:
  int mine_ = -1;
  int theirs_ = -1;
  std::thread thread_;
};

}  // namespace test
