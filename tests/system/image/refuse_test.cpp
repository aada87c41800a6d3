// SPDX-License-Identifier: MIT
// What is no image, or one that must not be used: refused with the reason, and nothing of it stays.
#include "host/files.hpp"
#include "system/image/server.hpp"

#include <filesystem>
#include <future>

#include <doctest/doctest.h>

using test::contains;
using test::Home;
using test::image_files;
using test::Server;

namespace {

struct Case {
  std::string path, reason;
};

void check_refused(const Server& server, const Case& one,
                   const std::vector<std::string>& more = {"--insecure-no-digest"}) {
  const Home home;
  std::vector<std::string> words{"image", "pull", server.url(one.path)};
  words.insert(words.end(), more.begin(), more.end());
  const auto result = home.run(words);
  INFO(one.path << ": " << result.out << result.err);
  CHECK(result.code == 1);
  CHECK(result.out.empty());
  CHECK(contains(result.err, one.reason));
  CHECK(image_files(home).empty());
}

}  // namespace

TEST_CASE("refused: pages, texts, archives, damaged images") {
  const Server server;
  server.put("page", "<!doctype html><title>Log in</title>" + std::string(2000, ' '));
  server.put("text", "no such image\n");
  server.put("empty", "");
  server.put("noise.raw", test::noise(100'000));
  test::qemu_img({"create", "-q", "-f", "qcow2", server.file("whole.qcow2"), "64M"});
  const auto qcow2 = qlaunch::read_file(server.file("whole.qcow2"));
  server.put("cut.qcow2", qcow2.substr(0, qcow2.size() / 2));
  test::python(
      "import io,lzma,gzip,sys,tarfile\n"
      "f=sys.argv[1]\n"
      "b=io.BytesIO(); t=tarfile.open(fileobj=b,mode='w'); t.add(f+'/text','text'); t.close()\n"
      "w=lambda n,d: open(f+'/'+n,'wb').write(d)\n"
      "w('a.tar',b.getvalue()); w('a.tar.xz',lzma.compress(b.getvalue()))\n"
      "n=open(f+'/noise.raw','rb').read()\n"
      "w('cut.xz',lzma.compress(n)[:50000]); w('cut.gz',gzip.compress(n)[:50000])\n"
      "g=bytearray(gzip.compress(n)); g[-6]^=1; w('sum.gz',bytes(g))\n"
      "w('twice.gz',gzip.compress(lzma.compress(n))); w('none.xz',lzma.compress(b''))\n"
      "w('page.gz',gzip.compress(b'<html>'+b' '*999))",
      {std::filesystem::path(server.file("x")).parent_path().string()});
  for (const auto& one : std::vector<Case>{{"plain/page", "it is a web page"},
                                           {"typed/text/html/noise.raw", "it is a web page"},
                                           {"plain/text", "it is a text"},
                                           {"plain/empty", "it is empty"},
                                           {"plain/a.tar", "tar archive"},
                                           {"plain/a.tar.xz", "tar archive"},
                                           {"plain/cut.xz", "damaged or cut off"},
                                           {"plain/cut.gz", "damaged or cut off"},
                                           {"plain/twice.gz", "packed more than once"},
                                           {"plain/none.xz", "it is empty"},
                                           {"plain/page.gz", "it is a web page"},
                                           {"plain/cut.qcow2", "damaged qcow2 image"}})
    check_refused(server, one);
  // The digest of a page is no reason to keep it.
  check_refused(server, {"plain/page", "it is a web page"},
                {"--sha512", test::digest_of(server.file("page"))});
}

TEST_CASE("refused: images that name files of this host") {
  const Server server;
  test::qemu_img({"create", "-q", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw",
                  server.file("overlay.qcow2"), "1M"});
  test::qemu_img({"create", "-q", "-f", "qcow2", "-o",
                  "data_file=" + server.file("data.raw") + ",data_file_raw=on",
                  server.file("external.qcow2"), "1M"});
  test::qemu_img({"create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat",
                  server.file("flat.vmdk"), "1M"});
  test::qemu_img({"create", "-q", "-f", "vmdk", server.file("parent.vmdk"), "1M"});
  test::qemu_img({"create", "-q", "-f", "vmdk", "-b", server.file("parent.vmdk"), "-F", "vmdk",
                  server.file("child.vmdk")});
  // Without a capacity QEMU reads a list of files out of the description.
  auto list = qlaunch::read_file(server.file("parent.vmdk"));
  list.replace(12, 8, std::string(8, '\0'));
  server.put("list.vmdk", list);
  for (const auto& one : std::vector<Case>{{"plain/overlay.qcow2", "overlay on another file"},
                                           {"plain/external.qcow2", "its data is in another file"},
                                           {"plain/flat.vmdk", "in other files"},
                                           {"plain/child.vmdk", "overlay on another file"},
                                           {"plain/list.vmdk", "in other files"}}) {
    check_refused(server, one);
    const auto name = one.path.substr(one.path.find('/') + 1);
    check_refused(server, one, {"--sha512", test::digest_of(server.file(name))});
  }
}

TEST_CASE("refused: what is larger than it may be, also when it is unpacked") {
  const Server server;
  server.put("noise.raw", test::noise(2'000'000));
  test::python("import gzip,sys; open(sys.argv[1],'wb').write(gzip.compress(b'\\1'+bytes(1<<26)))",
               {server.file("bomb.gz")});
  const std::vector<std::string> limited{"--insecure-no-digest", "--limit", "1M"};
  check_refused(server, {"plain/noise.raw", "larger than 1 MiB"}, limited);
  check_refused(server, {"nolength/noise.raw", "larger than 1 MiB"}, limited);
  check_refused(server, {"plain/bomb.gz", "larger than 1 MiB"}, limited);
  // A file of a few bytes may ask for any memory that it likes: here 3 GiB, in its block's header.
  test::python(
      "import lzma,struct,sys,zlib\n"
      "b=bytearray(lzma.compress(b'\\1'*9999))\n"
      "assert b[14]==0x21\n"
      "b[16]=39; end=12+(b[12]+1)*4-4\n"
      "b[end:end+4]=struct.pack('<I',zlib.crc32(bytes(b[12:end])))\n"
      "open(sys.argv[1],'wb').write(b)",
      {server.file("greedy.xz")});
  check_refused(server, {"plain/greedy.xz", "more than 1 GiB of memory"});
}

TEST_CASE("refused: servers that lead nowhere") {
  const Server server;
  server.put("noise.raw", test::noise(1000));
  for (const auto& one :
       std::vector<Case>{{"plain/nothing", "the server answers 404 (not found)"},
                         {"status/403/noise.raw", "the server answers 403 (forbidden)"},
                         {"loop/x", "leads round in a loop"},
                         {"chain/11/noise.raw", "leads on more than 10 times"},
                         {"leave", "leads to `file:///etc/hostname`, which is not followed"}})
    check_refused(server, one);
}

TEST_CASE("refused: servers that fail again and again, after several tries") {
  const Server server;
  server.put("noise.raw", test::noise(1'000'000));
  auto failing = std::async(std::launch::async, [&] {
    check_refused(server, {"status/503/noise.raw", "the server answers 503"});
  });
  const Home home;
  const auto result =
      home.run({"image", "pull", server.url("longer/noise.raw?add=7"), "--insecure-no-digest"});
  CHECK(result.code == 1);
  CHECK(contains(result.err, "ended the transfer too early"));
  failing.get();
  std::size_t tries = 0;
  for (const auto& request : server.log()) {
    if (contains(request.at("path"), "/503/")) ++tries;
  }
  CHECK(tries == 5);
}
