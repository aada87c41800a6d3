// SPDX-License-Identifier: MIT
#include "image/backing.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"

#include <cstdint>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

std::string read_at(int fd, std::uint64_t offset, std::size_t length) {
  std::string bytes(length, '\0');
  const auto got = pread(fd, bytes.data(), length, static_cast<off_t>(offset));
  bytes.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return bytes;
}

std::uint64_t number_at(const std::string& bytes, std::size_t offset, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t index = 0; index < length && offset + index < bytes.size(); ++index)
    value = value << 8U | static_cast<unsigned char>(bytes[offset + index]);
  return value;
}

}  // namespace

std::optional<Backing> backing_of(const std::string& overlay) {
  // QEMU's docs/interop/qcow2.txt.
  constexpr std::size_t version_2_header = 72;
  constexpr std::size_t longest_name = 1023;
  constexpr std::uint64_t format_extension = 0xe2792aca;
  const UniqueFd file(open(overlay.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return std::nullopt;
  const auto header = read_at(file.get(), 0, 104);
  if (header.size() < version_2_header || !header.starts_with("QFI\xfb")) return std::nullopt;
  const auto offset = number_at(header, 8, 8);
  const auto length = number_at(header, 16, 4);
  if (offset == 0 || length == 0 || length > longest_name) return std::nullopt;
  Backing backing;
  backing.file = read_at(file.get(), offset, static_cast<std::size_t>(length));
  const bool old = number_at(header, 4, 4) < 3;
  // The extensions stand between the header and the name.
  for (auto at = old ? version_2_header : number_at(header, 100, 4); at + 8 <= offset;) {
    const auto extension = read_at(file.get(), at, 8);
    const auto kind = number_at(extension, 0, 4);
    const auto size = number_at(extension, 4, 4);
    if (kind == 0 || size > offset) break;
    if (kind == format_extension)
      backing.format = read_at(file.get(), at + 8, static_cast<std::size_t>(size));
    at += 8 + (size + 7) / 8 * 8;
  }
  return backing;
}

void set_backing(const std::string& overlay, const Backing& backing) {
  // Without a format qemu-img would guess it from what a guest may have written.
  if (backing.format.empty())
    throw Error(in_backticks(overlay) + " does not say of what format the file is that it lies on")
        .help("`qemu-img rebase -u -b " + shell_quote(backing.file) + " -F FORMAT " +
              shell_quote(overlay) + "` writes it down; FORMAT is qcow2 or raw");
  SpawnOptions options;
  options.argv = {"qemu-img", "rebase",     "-u", "-f",           "qcow2",
                  "-b",       backing.file, "-F", backing.format, overlay};
  const auto result =
      run_and_capture(std::move(options), std::chrono::minutes(1), std::size_t{1} << 16);
  if (result.ok()) return;
  throw Error("cannot change what " + in_backticks(overlay) + " is an overlay on: " +
              std::string(trim(result.err.empty() ? describe_exit(result.status) : result.err)));
}

}  // namespace qlaunch
