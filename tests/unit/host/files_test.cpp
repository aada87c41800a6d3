// SPDX-License-Identifier: MIT
#include "host/files.hpp"

#include "scratch.hpp"

#include <cerrno>
#include <csignal>
#include <filesystem>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>

using namespace qlaunch;
using test::contains;
using test::error_of;
using test::Folder;

namespace {

std::size_t entries(const std::string& folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

std::string qcow2_header(char version, std::uint64_t size) {
  std::string header("QFI\xfb\0\0\0", 7);
  header += version;
  header.resize(24, '\0');
  for (int shift = 56; shift >= 0; shift -= 8) header += static_cast<char>(size >> shift & 0xff);
  header.resize(104, '\0');
  return header;
}

}  // namespace

TEST_CASE("a descriptor is closed once, by its last owner") {
  int number = -1;
  {
    UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    number = first.get();
    UniqueFd second(std::move(first));
    CHECK(second.get() == number);
    CHECK(::fcntl(number, F_GETFD) >= 0);
  }
  CHECK(::fcntl(number, F_GETFD) == -1);
}

TEST_CASE("read_file") {
  const Folder folder;
  const std::string content("a\0b\n", 4);
  const auto file = folder.write("file", content);
  CHECK(read_file(file) == content);
  CHECK(read_file(file, 4) == content);
  CHECK(contains(error_of([&] { read_file(file, 3); }), "it is larger than 3 bytes"));
  CHECK(error_of([&] { read_file(folder / "none"); }) ==
        "cannot read `" + folder / "none" + "`: No such file or directory");
  CHECK(contains(error_of([&] { read_file(folder.path()); }), "Is a directory"));
  CHECK(try_read_file(folder / "none") == std::nullopt);
  CHECK(try_read_file(file, 3) == std::nullopt);
  // Files of /proc say that they are empty, and /dev/zero has no end.
  CHECK(contains(read_file("/proc/self/status"), "Pid:"));
  CHECK(contains(error_of([&] { read_file("/dev/zero", 100000); }), "larger than"));
}

TEST_CASE("write_file_atomic replaces the file, with exactly this mode") {
  const Folder folder;
  const mode_t before = ::umask(077);
  const auto file = folder.write("file", "old", 0600);
  UniqueFd reader(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  write_file_atomic(file, "new", 0644);
  ::umask(before);
  CHECK(read_file(file) == "new");
  CHECK(test::mode_of(file) == 0644);
  // Whoever had it open goes on reading what it was.
  char text[4] = {};
  CHECK(::read(reader.get(), text, 3) == 3);
  CHECK(std::string(text) == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("a write that fails keeps the old file and leaves nothing behind") {
  const Folder folder;
  const auto file = folder.write("file", "old");
  CHECK(contains(error_of([&] { write_file_atomic(folder / "none/file", "x"); }),
                 "No such file or directory"));
  CHECK(contains(error_of([&] { write_file_atomic(folder.path(), "x"); }), "cannot write"));
  // A limit on file sizes does what a full disk does: a part is written, then an error.
  const int code = test::in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 4096, .rlim_max = 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto text = error_of([&] { write_file_atomic(file, std::string(100000, 'x')); });
    return contains(text, "File too large") ? 0 : 1;
  });
  CHECK(code == 0);
  CHECK(read_file(file) == "old");
  CHECK(entries(folder.path()) == 1);
}

TEST_CASE("write_all tells of a full disk") {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  REQUIRE(full);
  CHECK(error_of([&] { write_all(full.get(), "x", "cannot write it"); }) ==
        "cannot write it: No space left on device");
}

TEST_CASE("remove_tree removes links, not what they point to") {
  const Folder folder;
  const auto kept = folder.folder("kept");
  folder.write("kept/file", "x");
  const auto gone = folder.folder("gone");
  folder.folder("gone/deeper");
  folder.write("gone/deeper/file", "x");
  REQUIRE(::symlink(kept.c_str(), (gone + "/link").c_str()) == 0);
  REQUIRE(::symlink(kept.c_str(), (folder / "link").c_str()) == 0);
  remove_tree(gone);
  remove_tree(folder / "link");
  remove_tree(folder / "never was");
  CHECK(entries(folder.path()) == 1);
  CHECK(read_file(kept + "/file") == "x");
}

TEST_CASE("file_fact tells what a file is") {
  const Folder folder;
  using Kind = FileFact::Kind;
  CHECK(file_fact(folder / "none").kind == Kind::missing);
  CHECK(file_fact(folder.path()).kind == Kind::folder);
  CHECK(file_fact("/dev/null").kind == Kind::device);

  const auto raw = file_fact(folder.write("raw", std::string(1000, 'r')));
  CHECK(raw.kind == Kind::file);
  CHECK(raw.format == "raw");
  CHECK(raw.size == 1000);
  CHECK(raw.readable);
  CHECK(raw.writable);
  CHECK_FALSE(raw.virtual_size);

  constexpr std::uint64_t size = 0x0a00000000;  // 40 GiB: more than 32 bits
  for (const char version : {'\2', '\3'}) {
    const auto image = file_fact(folder.write("image", qcow2_header(version, size)));
    CHECK(image.format == "qcow2");
    CHECK(image.virtual_size == size);
  }
  // Version 1 is another format ("qcow"), and a cut-off header is none.
  CHECK(file_fact(folder.write("qcow1", qcow2_header('\1', size))).format == "raw");
  CHECK(file_fact(folder.write("cut", qcow2_header('\3', size).substr(0, 31))).format == "raw");
  CHECK(file_fact(folder.write("empty", "")).format == "raw");
  REQUIRE(::symlink("image", (folder / "link").c_str()) == 0);
  CHECK(file_fact(folder / "link").format == "qcow2");
}

TEST_CASE("file_fact does not wait for a pipe's other end") {
  const Folder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(file_fact(folder / "pipe").kind == FileFact::Kind::other);
}

TEST_CASE("free_space asks where the file would be") {
  CHECK(free_space("/tmp") > 0);
  CHECK(free_space("/proc") == 0);
  CHECK(free_space("/proc/none/none/none") == 0);
  CHECK(free_space("nonexistent") > 0);
}
