// SPDX-License-Identifier: MIT
// The table of snapshots in qcow2 files that the real qemu-img has made, and in ones that lie.
#include "image/internal_snapshots.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "host/spawn.hpp"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <stdlib.h>

using namespace qlaunch;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/qlaunch-unit.XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(const std::string& name) const { return path + '/' + name; }
  std::string path;
};

void tool(const std::vector<std::string>& argv) {
  const auto done = run_and_capture(argv);
  REQUIRE_MESSAGE(done.ok(), done.err);
}

std::string disk(const Folder& folder) {
  const auto path = folder.file("disk.qcow2");
  tool({"qemu-img", "create", "-q", "-f", "qcow2", path, "4M"});
  return path;
}

void write(const std::string& path, const std::string& what) {
  tool({"qemu-io", "-f", "qcow2", "-c", what, path});
}

std::vector<std::string> tags(const std::string& path) {
  std::vector<std::string> out;
  for (const auto& each : read_internal_snapshots(path)) out.push_back(each.tag);
  return out;
}

/// Big-endian, as qcow2 has its numbers.
void put(const std::string& path, std::streamoff at, std::uint64_t value, int bytes) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(at);
  for (int index = bytes - 1; index >= 0; --index)
    file.put(static_cast<char>(value >> (8 * index) & 0xffU));
}

}  // namespace

TEST_CASE("what qemu-img makes and deletes is read, the oldest first") {
  const Folder folder;
  const auto path = disk(folder);
  CHECK(tags(path).empty());
  const std::string odd = "ünï'cøde,with=all\\sorts\"";
  for (const auto& tag : {std::string("first"), odd, std::string(128, 'x')})
    make_internal_snapshot(path, tag);
  CHECK(tags(path) == std::vector<std::string>{"first", odd, std::string(128, 'x')});
  const auto all = read_internal_snapshots(path);
  CHECK(all[0].id == "1");
  CHECK(all[0].vm_state_size == 0);
  CHECK(all[0].date > 1'600'000'000);
  CHECK(find_snapshot(all, odd) == &all[1]);
  CHECK(find_snapshot(all, "none") == nullptr);
  delete_internal_snapshot(path, odd);
  CHECK(tags(path) == std::vector<std::string>{"first", std::string(128, 'x')});
}

TEST_CASE("more snapshots than fit into one cluster are read") {
  const Folder folder;
  const auto path = folder.file("small.qcow2");
  tool({"qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=512", path, "64k"});
  for (int number = 0; number < 12; ++number)
    make_internal_snapshot(path, std::string(100, 't') + std::to_string(number) + "x");
  CHECK(tags(path).size() == 12);
}

TEST_CASE("a disk has changed since a snapshot as soon as anything was written, and not before") {
  const Folder folder;
  const auto path = disk(folder);
  write(path, "write -P 1 0 64k");
  make_internal_snapshot(path, "one");
  CHECK(unchanged_since(path, "one"));
  CHECK_FALSE(unchanged_since(path, "none"));
  SUBCASE("a byte") {
    write(path, "write -P 2 512 512");
  }
  SUBCASE("the same bytes once more") {
    write(path, "write -P 1 0 64k");
  }
  SUBCASE("zeroes where nothing was") {
    write(path, "write -z 1M 64k");
  }
  SUBCASE("given back") {
    write(path, "discard 0 64k");
  }
  CHECK_FALSE(unchanged_since(path, "one"));
  make_internal_snapshot(path, "two");
  CHECK(unchanged_since(path, "two"));
  CHECK_FALSE(unchanged_since(path, "one"));
  take_up_internal_snapshot(path, "one");
  CHECK(unchanged_since(path, "one"));
  CHECK_FALSE(unchanged_since(path, "two"));
  delete_internal_snapshot(path, "two");
  CHECK(unchanged_since(path, "one"));
}

TEST_CASE("files that are not qcow2 have no snapshots") {
  const Folder folder;
  CHECK(read_internal_snapshots(folder.file("missing")).empty());
  CHECK(read_internal_snapshots(folder.path).empty());
  const auto raw = folder.file("raw");
  std::ofstream(raw) << std::string(4096, 'r');
  CHECK(read_internal_snapshots(raw).empty());
  std::ofstream(folder.file("short")) << "QFI\xfb";
  CHECK(read_internal_snapshots(folder.file("short")).empty());
  CHECK_FALSE(unchanged_since(raw, "one"));
}

TEST_CASE("a table that cannot be is an error that names the file, and costs little") {
  const Folder folder;
  const auto path = disk(folder);
  make_internal_snapshot(path, "one");
  SUBCASE("more than QEMU allows") {
    put(path, 60, 0xffffffff, 4);
  }
  SUBCASE("beyond the end of the file") {
    put(path, 64, std::uint64_t{1} << 50U, 8);
  }
  SUBCASE("more entries than there are") {
    put(path, 60, 60000, 4);
  }
  CHECK_THROWS_WITH_AS(read_internal_snapshots(path),
                       ("the table of snapshots in `" + path + "` cannot be read").c_str(), Error);
}
