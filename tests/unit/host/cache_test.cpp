// SPDX-License-Identifier: MIT
#include "host/files.hpp"
#include "host/probe_cache.hpp"
#include "scratch.hpp"

#include <filesystem>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>

using namespace qlaunch;
using nlohmann::json;
using test::Folder;

namespace {

StateRoots roots_in(const std::string& cache) {
  return {
      .runtime = "/nonexistent", .data = "/nonexistent", .state = "/nonexistent", .cache = cache};
}

}  // namespace

TEST_CASE("an answer is remembered for exactly the file that gave it") {
  const Folder folder;
  const auto roots = roots_in(folder / "cache");
  const auto program = folder.write("program", "1");
  const auto stamp = stamp_of(program);
  const json answer = {{"a", 1}};
  const ProbeCache cache(roots, "kind", stamp);
  CHECK(cache.load().is_null());
  cache.store(answer);
  CHECK(cache.load() == answer);
  CHECK(ProbeCache(roots, "kind", stamp_of(program)).load() == answer);
  CHECK(ProbeCache(roots, "other", stamp).load().is_null());

  SUBCASE("another size") {
    folder.write("program", "22");
    CHECK(ProbeCache(roots, "kind", stamp_of(program)).load().is_null());
  }
  SUBCASE("another time, by one nanosecond") {
    struct stat status {};
    REQUIRE(::stat(program.c_str(), &status) == 0);
    timespec times[2] = {status.st_atim, status.st_mtim};
    times[1].tv_nsec = times[1].tv_nsec == 0 ? 1 : times[1].tv_nsec - 1;
    REQUIRE(::utimensat(AT_FDCWD, program.c_str(), times, 0) == 0);
    CHECK(ProbeCache(roots, "kind", stamp_of(program)).load().is_null());
  }
  SUBCASE("another file behind the same link") {
    folder.write("second", "1");
    REQUIRE(::symlink("program", (folder / "link").c_str()) == 0);
    CHECK(ProbeCache(roots, "kind", stamp_of(folder / "link")).load() == answer);
    REQUIRE(::unlink((folder / "link").c_str()) == 0);
    REQUIRE(::symlink("second", (folder / "link").c_str()) == 0);
    CHECK(ProbeCache(roots, "kind", stamp_of(folder / "link")).load().is_null());
  }
}

TEST_CASE("a cache that is broken in any way has no answers, and takes new ones") {
  const Folder folder;
  const auto roots = roots_in(folder / "cache");
  const ProbeCache cache(roots, "kind", stamp_of("/bin/sh"));
  cache.store(42);
  std::string file;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cache/probe")) {
    file = entry.path().string();
  }
  const std::string good = read_file(file);
  for (std::size_t length = 0; length + 1 < good.size(); ++length) {
    write_file_atomic(file, good.substr(0, length), 0600, Durability::quick);
    CHECK(cache.load().is_null());
  }
  for (const char* text : {"[]", "null", "{}", "\xff", R"({"format": "x", "file": 1})",
                           R"({"format": 999, "file": {}, "answer": 1})"}) {
    write_file_atomic(file, text, 0600, Durability::quick);
    CHECK(cache.load().is_null());
  }
  cache.store(43);
  CHECK(cache.load() == 43);
}

TEST_CASE("a cache that cannot be written is no reason to fail") {
  const Folder folder;
  const auto file = folder.write("file", "");
  const ProbeCache cache(roots_in(file + "/below"), "kind", stamp_of("/bin/sh"));
  CHECK_NOTHROW(cache.store(1));
  CHECK(cache.load().is_null());
}
