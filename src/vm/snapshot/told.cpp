// SPDX-License-Identifier: MIT
#include "vm/snapshot/told.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"
#include "host/process.hpp"

#include <fcntl.h>

namespace qlaunch {

std::optional<std::string> provision_to_keep(const std::string& path) {
  constexpr std::size_t most_read = std::size_t{64} << 20;
  constexpr std::size_t most_kept = std::size_t{256} << 10;
  if (path.empty()) return std::nullopt;
  auto text = try_read_file(path, most_read).value_or("");
  const std::string begin = "qlaunch: begin";
  auto from = text.rfind('\n' + begin);
  from = from == std::string::npos ? 0 : from + 1;
  text.erase(0, from);
  if (text.size() <= most_kept) return text;
  // Without its first line nobody would know that it has begun.
  const auto first = text.substr(0, text.starts_with(begin) ? text.find('\n') + 1 : 0);
  const auto rest = text.find('\n', text.size() - most_kept);
  return first + (rest == std::string::npos ? std::string() : text.substr(rest + 1));
}

void take_up_provision(const std::string& path, const SnapshotNote& note) {
  if (path.empty() || !note.provision) return;
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600));
  if (file) write_all(file.get(), *note.provision, path);
}

}  // namespace qlaunch
