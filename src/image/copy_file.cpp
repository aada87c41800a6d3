// SPDX-License-Identifier: MIT
#include "image/copy_file.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/files.hpp"

#include <cerrno>

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace qlaunch {

bool reflink_file(const std::string& from, const std::string& to) {
  const UniqueFd source(open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!source) throw system_error("cannot read " + in_backticks(from), errno);
  const UniqueFd target(open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) throw system_error("cannot make " + in_backticks(to), errno);
  if (ioctl(target.get(), FICLONE, source.get()) == 0) return true;
  const int error = errno;
  unlink(to.c_str());
  // What filesystems say that cannot, or not between these two.
  for (const int cannot : {EOPNOTSUPP, ENOTTY, ENOSYS, EINVAL, EXDEV, ETXTBSY, EPERM}) {
    if (error == cannot) return false;
  }
  throw system_error("cannot copy " + in_backticks(from), error);
}

}  // namespace qlaunch
