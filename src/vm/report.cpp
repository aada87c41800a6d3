// SPDX-License-Identifier: MIT
#include "vm/report.hpp"

#include <array>
#include <cerrno>

#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

}  // namespace

void send_report(int fd, const KeeperReport& report) {
  if (fd < 0) return;
  const Json json = {
      {"kind", static_cast<int>(report.kind)}, {"text", report.text}, {"help", report.help}};
  const auto line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  if (write(fd, line.data(), line.size()) < 0) return;
}

std::optional<KeeperReport> Reports::next(const std::function<bool()>& interrupted) {
  for (;;) {
    const auto end = buffer_.find('\n');
    if (end != std::string::npos) {
      const auto json = Json::parse(buffer_.substr(0, end), nullptr, false);
      buffer_.erase(0, end + 1);
      if (!json.is_object()) continue;
      return KeeperReport{static_cast<KeeperReport::Kind>(json.value("kind", 0)),
                          json.value("text", ""), json.value("help", "")};
    }
    if (interrupted()) return std::nullopt;
    // A signal may come just before poll(): look at least this often.
    pollfd waiting{pipe_.get(), POLLIN, 0};
    if (poll(&waiting, 1, 250) <= 0) continue;
    std::array<char, 4096> bytes{};
    const auto got = read(pipe_.get(), bytes.data(), bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    buffer_.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace qlaunch
