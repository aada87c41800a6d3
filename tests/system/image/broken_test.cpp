// SPDX-License-Identifier: MIT
// Downloads that are cut off: by Ctrl-C, by SIGKILL, by a full disk, by a server that changes its
// mind. What is left goes on, or is started over, and is never taken for the image.
#include "host/files.hpp"
#include "host/process.hpp"
#include "system/image/server.hpp"

#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

using test::contains;
using test::Home;
using test::image_files;
using test::only_image;
using test::pull;
using test::Server;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t size = 4'000'000;

/// The part in the home, where there is one.
std::string part_of(const Home& home) {
  for (const auto& name : image_files(home)) {
    if (name.ends_with(".part")) return home.path() + "/cache/images/" + name;
  }
  return {};
}

std::size_t part_size(const Home& home) {
  std::error_code none;
  const auto bytes = fs::file_size(part_of(home), none);
  return none ? 0 : bytes;
}

/// Begins a slow download and waits until there is a good part of it.
qlaunch::Child begin(const Home& home, const std::vector<std::string>& words) {
  auto child = home.start(words);
  REQUIRE(test::eventually([&] { return part_size(home) > 500'000; }));
  return child;
}

int end_of(const qlaunch::Child& child) {
  const auto status =
      qlaunch::reap(child, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  REQUIRE(status);
  return WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
}

/// A part and what belongs to it, with the first bytes of the file; nobody works on it any more.
void check_resumable(const Home& home, const std::string& bytes) {
  REQUIRE(test::eventually([&] { return home.processes().empty(); }));
  const auto names = image_files(home);
  REQUIRE(names.size() == 2);
  CHECK(names[0].ends_with(".json"));
  CHECK(names[1].ends_with(".part"));
  const auto part = qlaunch::read_file(part_of(home));
  CHECK(part.size() < bytes.size());
  CHECK(bytes.starts_with(part));
}

}  // namespace

TEST_CASE("broken: whoever is killed, the part is resumed where it ends") {
  const auto bytes = test::noise(size);
  const Server server;
  const Home home;
  const auto words = pull(server.url("slow/f.raw?rate=2500000"), server.put("f.raw", bytes));
  const auto child = begin(home, words);
  SUBCASE("Ctrl-C") {
    kill(child.id.pid, SIGINT);
    CHECK(end_of(child) == 130);
    CHECK(contains(qlaunch::read_file(home.path() + "/err"), "goes on from what is downloaded"));
  }
  SUBCASE("SIGKILL of qlaunch, whose helper goes with it") {
    kill(child.id.pid, SIGKILL);
    CHECK(end_of(child) == 128 + SIGKILL);
  }
  SUBCASE("SIGKILL of the helper") {
    for (const auto& process : home.processes()) {
      if (contains(process, "qlaunch-fetch")) kill(std::atoi(process.c_str()), SIGKILL);
    }
    CHECK(end_of(child) == 1);
    CHECK(contains(qlaunch::read_file(home.path() + "/err"), "killed by signal 9"));
  }
  check_resumable(home, bytes);
  const auto have = part_size(home);
  const auto again = home.run(words);
  INFO(again.err);
  CHECK(again.code == 0);
  CHECK(qlaunch::read_file(only_image(home)) == bytes);
  const auto log = server.log();
  REQUIRE(log.size() == 2);
  CHECK(log[1].at("range") == "bytes=" + std::to_string(have) + '-');
}

TEST_CASE("broken: a file that changes between the parts is downloaded whole") {
  const Server server;
  const Home home;
  server.put("f.raw", test::noise(size, 1));
  const auto digest = server.put("f.raw.new", test::noise(size, 2));
  const auto result = home.run(pull(server.url("changing/f.raw?at=1000000"), digest));
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(test::digest_of(only_image(home)) == digest);
  const auto log = server.log();
  REQUIRE(log.size() == 2);
  CHECK(log[1].at("range") == "bytes=1000000-");
}

TEST_CASE("broken: where no server says that a file has changed, its digest does") {
  const Server server;
  const Home home;
  const auto words = [&](const std::string& digest) {
    return pull(server.url("bare/f.raw?rate=4000000"), digest);
  };
  const auto child = begin(home, words(server.put("f.raw", test::noise(size, 1))));
  kill(child.id.pid, SIGKILL);
  end_of(child);
  REQUIRE(test::eventually([&] { return home.processes().empty(); }));
  const auto digest = server.put("f.raw", test::noise(size, 2));
  const auto result = home.run(words(digest));
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(test::digest_of(only_image(home)) == digest);
  // The rest of it, and then all of it.
  CHECK(server.log().size() == 3);
}

TEST_CASE("broken: a part whose record is torn is started over") {
  const auto bytes = test::noise(size);
  const Server server;
  const Home home;
  const auto words = pull(server.url("slow/f.raw?rate=4000000"), server.put("f.raw", bytes));
  const auto child = begin(home, words);
  kill(child.id.pid, SIGKILL);
  end_of(child);
  REQUIRE(test::eventually([&] { return home.processes().empty(); }));
  auto record = part_of(home);
  record.replace(record.size() - 5, 5, ".json");
  fs::resize_file(record, 20);
  CHECK(home.run(words).code == 0);
  CHECK(qlaunch::read_file(only_image(home)) == bytes);
  CHECK(server.log().at(1).at("range").is_null());
}

TEST_CASE("broken: Ctrl-C while it is unpacked leaves the download alone") {
  const Server server;
  const Home home;
  // A gigabyte of zeros takes seconds to go through.
  test::python(
      "import lzma,sys\n"
      "c=lzma.LZMACompressor(preset=0)\n"
      "f=open(sys.argv[1],'wb')\n"
      "f.write(c.compress(b'\\1'))\n"
      "for i in range(1024): f.write(c.compress(bytes(1<<20)))\n"
      "f.write(c.flush())",
      {server.file("zeros.xz")});
  const auto words = pull(server.url("plain/zeros.xz"), test::digest_of(server.file("zeros.xz")));
  const auto child = home.start(words);
  // It is whole once its record says so; unpacking has begun then.
  REQUIRE(test::eventually([&] {
    auto record = part_of(home);
    if (record.empty()) return false;
    record.replace(record.size() - 5, 5, ".json");
    return contains(qlaunch::try_read_file(record).value_or(""), "\"complete\":true");
  }));
  kill(child.id.pid, SIGINT);
  CHECK(end_of(child) == 130);
  REQUIRE(test::eventually([&] { return home.processes().empty(); }));
  const auto names = image_files(home);
  REQUIRE(names.size() == 2);
  CHECK(names[1].ends_with(".part"));
}

TEST_CASE("broken: a full disk is told, and what fits is kept") {
  const Server server;
  const Home home;
  fs::create_directories(home.path() + "/cache");
  REQUIRE(chown((home.path() + "/cache").c_str(), test::user(), test::user()) == 0);
  fs::permissions(home.path() + "/cache", fs::perms{0700});
  const auto digest = server.put("f.raw", test::noise(size));
  test::python(
      "import lzma,sys; open(sys.argv[2],'wb').write(lzma.compress(bytes([1])*99 + "
      "b''.join(bytes([i%251+1])*4096 for i in range(2500)), preset=0))",
      {server.file("f.raw"), server.file("packed.xz")});
  // A small file system of its own for the folder of images.
  const auto run = [&](const std::vector<std::string>& words) {
    std::vector<std::string> argv{
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs -o size=2m,mode=0700 tmpfs \"$QLAUNCH_HOME/cache\" && { \"$@\"; code=$?; "
        "ls \"$QLAUNCH_HOME/cache/images\"; exit $code; }",
        "sh",
        test::binary()};
    argv.insert(argv.end(), words.begin(), words.end());
    return qlaunch::run_and_capture(home.program(argv), std::chrono::minutes(1), 1 << 20);
  };
  SUBCASE("known beforehand, nothing is begun") {
    const auto result = run(pull(server.url("plain/f.raw"), digest));
    CHECK(WEXITSTATUS(result.status) == 1);
    CHECK(contains(result.err, "it takes 3.81 MiB of the disk, and"));
    CHECK(contains(result.err, "qlaunch image prune"));
    CHECK(result.out.empty());
  }
  SUBCASE("seen when it is full, it stays") {
    const auto result = run(pull(server.url("nolength/f.raw"), digest));
    CHECK(WEXITSTATUS(result.status) == 1);
    CHECK(contains(result.err, "the disk is full"));
    CHECK(contains(result.out, ".part"));
  }
  SUBCASE("while unpacking, the download stays") {
    const auto result =
        run(pull(server.url("plain/packed.xz"), test::digest_of(server.file("packed.xz"))));
    CHECK(WEXITSTATUS(result.status) == 1);
    CHECK(contains(result.err, "the disk is full"));
    CHECK(contains(result.out, ".part"));
    CHECK_FALSE(contains(result.out, "sha512-"));
  }
}
