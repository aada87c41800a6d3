// SPDX-License-Identifier: MIT
#include "profile/read_file.hpp"

#include "core/error.hpp"
#include "core/units.hpp"
#include "profile/load.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

class File {
 public:
  explicit File(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

[[noreturn]] void cannot_read(int error) {
  Error failure("cannot read the profile: " + std::string(std::strerror(error)), ExitCode::usage);
  if (error == ENOENT) failure.help("`qlaunch init` writes a first profile");
  if (error == EACCES) failure.help("look at the permissions of the file and its folder");
  throw failure;
}

}  // namespace

std::string read_profile_file(const std::string& path) {
  const File file(path);
  if (file.get() < 0) cannot_read(errno);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) cannot_read(errno);
  if (S_ISDIR(facts.st_mode)) {
    Error failure("this is a folder, not a profile", ExitCode::usage);
    failure.help("name a .toml file in it");
    throw failure;
  }
  // A pipe, as in `qlaunch check /dev/stdin`, is read like a file; a device is not.
  if (!S_ISREG(facts.st_mode) && !S_ISFIFO(facts.st_mode)) {
    Error failure("this is not a regular file", ExitCode::usage);
    failure.help("a profile is a text file");
    throw failure;
  }
  const auto too_large = [](const std::string& size) {
    Error failure(
        "the file has " + size + ", and a profile has at most " + format_size(largest_profile),
        ExitCode::usage);
    failure.help("is this a disk image? a profile is a text file of a few lines");
    return failure;
  };
  if (S_ISREG(facts.st_mode) && facts.st_size > static_cast<off_t>(largest_profile))
    throw too_large(format_size_rounded(static_cast<std::uint64_t>(facts.st_size)));

  std::string text;
  std::string block(64 * kib, '\0');
  for (;;) {
    const auto got = ::read(file.get(), block.data(), block.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) cannot_read(errno);
    text.append(block, 0, static_cast<std::size_t>(got));
    if (text.size() > largest_profile) throw too_large("more than " + format_size(largest_profile));
  }
}

}  // namespace qlaunch
