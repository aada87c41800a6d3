// SPDX-License-Identifier: MIT
#include "host/lock.hpp"

#include "host/process.hpp"
#include "host/spawn.hpp"
#include "scratch.hpp"

#include <array>

#include <doctest/doctest.h>

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

using namespace qlaunch;
using namespace std::chrono_literals;
using test::Folder;
using test::in;

namespace {

/// A process that takes the lock, says so, and keeps it until it is told or killed.
class Holder {
 public:
  explicit Holder(const std::string& path) {
    REQUIRE(::pipe(to_.data()) == 0);
    REQUIRE(::pipe(from_.data()) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(to_[1]);
      FileLock lock(path);
      const char word = lock.try_lock() ? 'y' : 'n';
      if (::write(from_[1], &word, 1) != 1) ::_exit(1);
      char any = 0;
      if (::read(to_[0], &any, 1) != 1) ::_exit(1);
      lock.unlock();
      ::pause();
    }
    char word = 0;
    REQUIRE(::read(from_[0], &word, 1) == 1);
    REQUIRE(word == 'y');
  }
  ~Holder() {
    kill();
    for (const int fd : {to_[0], to_[1], from_[0], from_[1]}) ::close(fd);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

  pid_t pid() const { return pid_; }
  void let_go() const { REQUIRE(::write(to_[1], "x", 1) == 1); }
  void kill() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  std::array<int, 2> to_{}, from_{};
  pid_t pid_ = 0;
};

}  // namespace

TEST_CASE("one process has the lock, the other learns who") {
  const Folder folder;
  const auto path = folder / "lock";
  FileLock lock(path);
  CHECK(test::mode_of(path) == 0600);
  CHECK_FALSE(lock.holder());
  Holder other(path);
  CHECK_FALSE(lock.try_lock());
  CHECK(lock.holder() == other.pid());
  CHECK_FALSE(lock.lock(in(20ms)));

  SUBCASE("it lets go") {
    other.let_go();
    CHECK(lock.lock(in(10s)));
  }
  SUBCASE("it is killed") {
    other.kill();
    CHECK_FALSE(lock.holder());  // its pid is still in the file
    CHECK(lock.lock(in(10s)));
  }
  CHECK(lock.holder() == ::getpid());
  lock.unlock();
  CHECK_FALSE(lock.locked());
  CHECK_FALSE(lock.holder());
  FileLock(path).try_lock();
  CHECK(lock.try_lock());
}

TEST_CASE("whoever waits is woken at once") {
  const Folder folder;
  const auto path = folder / "lock";
  FileLock lock(path);
  Holder other(path);
  // Asleep for long enough to be at the slowest of its tries.
  const int code = test::in_child([&] {
    const pid_t waker = ::fork();
    if (waker == 0) {
      ::usleep(300'000);
      other.let_go();
      ::_exit(0);
    }
    FileLock mine(path);
    return mine.lock(in(10s)) && mine.holder() == ::getpid() ? 0 : 1;
  });
  CHECK(code == 0);
}

TEST_CASE("a lock that is ours already is ours again") {
  const Folder folder;
  FileLock lock(folder / "lock");
  CHECK(lock.try_lock());
  CHECK(lock.try_lock());
  CHECK(lock.lock(in(0ms)));
}

TEST_CASE("a program that is started does not keep the lock") {
  const Folder folder;
  std::optional<FileLock> lock(std::in_place, folder / "lock");
  REQUIRE(lock->try_lock());
  SpawnOptions options;
  options.argv = {"sleep", "100"};
  const Child child = spawn(options);
  lock.reset();
  CHECK(FileLock(folder / "lock").try_lock());
  kill_and_reap(child);
}

TEST_CASE("a lock is not opened through a symlink, and needs its folder") {
  const Folder folder;
  REQUIRE(::symlink("elsewhere", (folder / "link").c_str()) == 0);
  CHECK(test::contains(test::error_of([&] { FileLock lock(folder / "link"); }),
                       "cannot open the lock"));
  CHECK(test::contains(test::error_of([&] { FileLock lock(folder / "none/lock"); }),
                       "No such file or directory"));
}

TEST_CASE("a lock file with something else in it names nobody") {
  const Folder folder;
  for (const char* text : {"", "x", "12", "99999999999999999999 1", "-1 1", "1 99999999999"}) {
    FileLock lock(folder.write("lock", text));
    CHECK_FALSE(lock.holder());
  }
}
