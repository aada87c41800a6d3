// SPDX-License-Identifier: MIT
#include "host/scratch.hpp"
#include "image/image_locks.hpp"
#include "image/qemu_img.hpp"

#include <fcntl.h>

using namespace qlaunch;

namespace {

/// Bytes of a file locked as QEMU does, by an open file of its own.
class Lock {
 public:
  Lock(const std::string& path, off_t first, off_t count)
      : file_(open(path.c_str(), O_RDWR | O_CLOEXEC)) {
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = first;
    lock.l_len = count;
    REQUIRE(fcntl(file_.get(), F_OFD_SETLK, &lock) == 0);
  }

 private:
  UniqueFd file_;
};

}  // namespace

TEST_CASE("what others do with an image is told by the bytes that they lock") {
  const test::Folder folder;
  const auto path = folder.write("disk", "");
  CHECK(image_use(path) == ImageUse::none);
  CHECK(image_use(folder / "none") == ImageUse::none);
  {
    const Lock other(path, 0, 64);  // not QEMU's
    CHECK(image_use(path) == ImageUse::none);
    CHECK(image_holders(path).empty());
  }
  {
    // As QEMU holds the base of an overlay: it reads, and lets nobody write or resize.
    const Lock reads(path, 100, 1), denies(path, 201, 1), too(path, 203, 1);
    CHECK(image_use(path) == ImageUse::reads);
    const auto holders = image_holders(path);
    REQUIRE(holders.size() == 1);
    CHECK(holders[0].pid == getpid());
    CHECK_FALSE(holders[0].writes);
  }
  const Lock writes(path, 100, 2), denies(path, 201, 1);
  CHECK(image_use(path) == ImageUse::writes);
  const auto holders = image_holders(path);
  REQUIRE(holders.size() == 1);
  CHECK(holders[0].writes);
  CHECK(describe_holders(holders) == "unit_image (pid " + std::to_string(getpid()) + ")");
  CHECK(test::error_of([&] { QemuImg().check(path, "raw"); }) == "no error");  // nothing to check
  CHECK(test::error_of([&] {
          QemuImg().run({"resize", "-f", "raw", path, "1M"}, "cannot resize it", path);
        }) ==
        "cannot resize it: it is in use by unit_image (pid " + std::to_string(getpid()) + ")");
}

TEST_CASE("lines of fdinfo") {
  const auto of = image_use_in_fdinfo;
  CHECK(of("lock:\t1: OFDLCK  ADVISORY  READ -1 fe:00:10952971 100 101") == ImageUse::writes);
  CHECK(of("lock:\t1: OFDLCK  ADVISORY  READ -1 fe:00:10952971 103 103") == ImageUse::writes);
  CHECK(of("lock:\t1: OFDLCK  ADVISORY  READ -1 fe:00:10952971 100 100") == ImageUse::reads);
  CHECK(of("lock:\t1: OFDLCK  ADVISORY  READ -1 fe:00:10952971 203 203") == ImageUse::reads);
  CHECK(of("lock:\t1: POSIX  ADVISORY  WRITE 812 fe:00:10952971 100 101") == ImageUse::none);
  CHECK(of("lock:\t1: OFDLCK  ADVISORY  WRITE -1 fe:00:10952971 0 EOF") == ImageUse::none);
  CHECK(of("lock:\t1: OFDLCK  ADVISORY  READ -1 fe:00:10952971 0 63") == ImageUse::none);
  CHECK(of("flags:\t02100002") == ImageUse::none);
  CHECK(of("lock:") == ImageUse::none);
}

TEST_CASE("no holder found is said, too") {
  CHECK(describe_holders({}) == "another program");
  CHECK(describe_holders({{7, "qemu-img", false}, {8, "", true}}) ==
        "qemu-img (pid 7) and a program (pid 8)");
}
