// SPDX-License-Identifier: MIT
// What comes packed is unpacked, and every format becomes the one that is asked for, with the same
// content for a guest.
#include "host/files.hpp"
#include "system/image/server.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include <sys/stat.h>

using nlohmann::json;
using test::contains;
using test::Home;
using test::only_image;
using test::Server;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t disk_size = std::size_t{8} << 20;

/// A disk of 8 MiB, mostly zeros, as raw and qcow2.
struct Disk {
  explicit Disk(const Server& server) {
    auto bytes = test::noise(300'000);
    bytes.resize(disk_size, '\0');
    server.put("d.raw", bytes);
    test::qemu_img(
        {"convert", "-f", "raw", "-O", "qcow2", server.file("d.raw"), server.file("d.qcow2")});
  }
};

/// A frame of zstd whose blocks hold their bytes as they are (RFC 8878).
std::string zstd_of(const std::string& bytes) {
  const auto little = [](std::size_t value, int count) {
    std::string out;
    for (int index = 0; index < count; ++index)
      out += static_cast<char>(value >> (8 * index) & 255U);
    return out;
  };
  constexpr std::size_t most = std::size_t{1} << 17;
  std::string out = "\x28\xb5\x2f\xfd\xa0" + little(bytes.size(), 4);
  for (std::size_t at = 0; at < bytes.size(); at += most) {
    const auto block = bytes.substr(at, most);
    const bool last = at + block.size() == bytes.size();
    out += little(block.size() << 3U | (last ? 1U : 0U), 3) + block;
  }
  return out;
}

json pulled(const Home& home, const Server& server, const std::string& name,
            const std::vector<std::string>& more = {}) {
  std::vector<std::string> words{
      "image", "pull", server.url("plain/" + name), "--sha512", test::digest_of(server.file(name)),
      "--json"};
  words.insert(words.end(), more.begin(), more.end());
  const auto result = home.run(words);
  INFO(name << ": " << result.err);
  REQUIRE(result.code == 0);
  // The digest is that of what was downloaded, whatever became of it.
  CHECK(json::parse(result.out).at("digest") == test::digest_of(server.file(name)));
  return json::parse(qlaunch::read_file(only_image(home) + ".json"));
}

void check_same(const Home& home, const Server& server, const std::string& format) {
  test::qemu_img(
      {"compare", "-q", "-f", "raw", "-F", format, server.file("d.raw"), only_image(home)});
}

}  // namespace

TEST_CASE("formats: xz, gz, bz2 and zst are unpacked") {
  const Server server;
  const Disk disk(server);
  test::python(
      "import bz2,gzip,lzma,sys\n"
      "d=open(sys.argv[1],'rb').read()\n"
      "for n,m in (('xz',lzma),('gz',gzip),('bz2',bz2)):\n"
      "  open(sys.argv[1]+'.'+n,'wb').write(m.compress(d))\n"
      // Several packed files in a row are one, as their programs have it.
      "open(sys.argv[1]+'.two.xz','wb').write(lzma.compress(d[:99])+lzma.compress(d[99:]))",
      {server.file("d.qcow2")});
  server.put("d.qcow2.zst", zstd_of(qlaunch::read_file(server.file("d.qcow2"))));
  for (const std::string ending : {"xz", "gz", "bz2", "zst", "two.xz"}) {
    const Home home;
    const auto record = pulled(home, server, "d.qcow2." + ending);
    const auto packing = ending == "two.xz" ? "xz" : ending;
    CHECK(record.at("how") == packing + ", unpacked");
    CHECK(record.at("digest") == test::digest_of(server.file("d.qcow2")));
    CHECK(qlaunch::read_file(only_image(home)) == qlaunch::read_file(server.file("d.qcow2")));
  }
}

TEST_CASE("formats: zeros that come out are holes") {
  const Server server;
  const Disk disk(server);
  const Home home;
  test::python(
      "import gzip,sys; d=open(sys.argv[1],'rb').read(); "
      "open(sys.argv[1]+'.gz','wb').write(gzip.compress(d))",
      {server.file("d.raw")});
  pulled(home, server, "d.raw.gz", {"--format", "raw"});
  check_same(home, server, "raw");
  struct stat status {};
  REQUIRE(stat(only_image(home).c_str(), &status) == 0);
  CHECK(static_cast<std::size_t>(status.st_size) == disk_size);
  CHECK(static_cast<std::size_t>(status.st_blocks) * 512 < disk_size / 8);
}

TEST_CASE("formats: raw, qcow2, vmdk and vdi become what is asked for") {
  const Server server;
  const Disk disk(server);
  for (const auto& [name, words] :
       {std::pair<std::string, std::vector<std::string>>{"d.vdi", {"-O", "vdi"}},
        {"d.vmdk", {"-O", "vmdk"}},
        {"s.vmdk", {"-O", "vmdk", "-o", "subformat=streamOptimized"}},
        {"z.qcow2", {"-c", "-O", "qcow2"}},
        {"old.qcow2", {"-O", "qcow2", "-o", "compat=0.10"}}}) {
    std::vector<std::string> convert{"convert", "-f", "raw"};
    convert.insert(convert.end(), words.begin(), words.end());
    convert.insert(convert.end(), {server.file("d.raw"), server.file(name)});
    test::qemu_img(convert);
  }
  const auto check = [&](const std::string& name, const std::string& format,
                         const std::string& how) {
    const Home home;
    const auto record = pulled(home, server, name, {"--format", format});
    CHECK(record.at("how") == how);
    CHECK(only_image(home).ends_with('.' + format));
    CHECK(record.at("digest") == test::digest_of(only_image(home)));
    check_same(home, server, format);
  };
  check("d.raw", "raw", "as downloaded");
  check("d.raw", "qcow2", "converted from raw");
  check("d.qcow2", "raw", "converted from qcow2");
  check("d.vdi", "qcow2", "converted from vdi");
  check("d.vmdk", "qcow2", "converted from vmdk");
  check("s.vmdk", "raw", "converted from vmdk");
  check("z.qcow2", "qcow2", "as downloaded");
  check("old.qcow2", "qcow2", "as downloaded");
}
