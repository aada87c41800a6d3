// SPDX-License-Identifier: MIT
// The same folder of the host through 9p and through virtiofs: a guest sees the same in both, and
// what it sees is what is there.
#include "guest/micro.hpp"
#include "host/files.hpp"

#include <algorithm>
#include <filesystem>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using micro::Guest;
using test::contains;
using test::Home;

namespace {

namespace fs = std::filesystem;

/// Names that programs stumble over, every mode bit that counts, links of all kinds, odd times.
void make_tree(const Home& home) {
  const std::vector<std::string> names{"plain",
                                       " leading and trailing ",
                                       "new\nline",
                                       "tab\there",
                                       "-rf",
                                       "ü ñ 漢字 🙂",
                                       "back\\slash",
                                       "quote'\"`$(x)",
                                       "*?[a]",
                                       std::string(255, 'x'),
                                       "..hidden",
                                       "comma,equals=",
                                       "\x01\x7f ctl",
                                       "caf\xc3\xa9",
                                       "cafe\xcc\x81 split"};
  int number = 0;
  for (const auto& name : names) home.write("tree/" + name, "content " + std::to_string(number++));
  std::string bytes;
  for (int byte = 0; byte < 300'000; ++byte) bytes += static_cast<char>(byte * byte >> 3);
  home.write("tree/every byte", bytes);
  home.write("tree/empty", "");
  home.write("tree/deep/er/and/deeper/leaf", "leaf");
  const auto path = [&](const std::string& name) { return home.file("tree/" + name); };
  // Holes are read as zeros.
  REQUIRE(truncate(path("empty").c_str(), 0) == 0);
  home.write("tree/sparse", "");
  REQUIRE(truncate(path("sparse").c_str(), 5'000'000) == 0);
  REQUIRE(symlink("plain", path("to plain").c_str()) == 0);
  REQUIRE(symlink("/nowhere at all/\n", path("dangling").c_str()) == 0);
  REQUIRE(symlink("..", path("up").c_str()) == 0);
  REQUIRE(link(path("plain").c_str(), path("hard").c_str()) == 0);
  number = 0;
  for (const mode_t mode : {0400U, 0640U, 0755U, 0600U, 0444U, 0777U}) {
    const auto name = "mode " + std::to_string(number++);
    home.write("tree/" + name, name);
    REQUIRE(chmod(path(name).c_str(), mode) == 0);
  }
  REQUIRE(chmod(path("deep/er").c_str(), 0750) == 0);
  for (const auto& [name, seconds] : std::vector<std::pair<std::string, time_t>>{
           {"plain", 0}, {"empty", 1}, {"sparse", 4102444800}, {"deep", 951782400}}) {
    const timespec times[2]{{seconds, 0}, {seconds, 123456789}};
    REQUIRE(utimensat(AT_FDCWD, path(name).c_str(), times, 0) == 0);
  }
}

/// Lines with type, mode, links, size, time and digest of everything below the current folder.
/// Names are written so that every byte counts.
constexpr const char* describe =
    "cd \"$1\" && find . -print0 | sort -z | while IFS= read -r -d '' f; do "
    "printf '%s|' \"$f\" | od -An -v -tx1 | tr -d ' \\n'; "
    "stat -c ' %F %a %h %s %Y' \"$f\" 2>&1 | tr '\\n' ' '; "
    "if [ -L \"$f\" ]; then readlink \"$f\" | od -An -v -tx1 | tr -d ' \\n'; "
    "elif [ -f \"$f\" ]; then sha256sum <\"$f\" | cut -c 1-64 | tr -d '\\n'; fi; echo; done";

}  // namespace

TEST_CASE("a hostile tree is the same through 9p, through virtiofs, and on the host") {
  if (micro::skipped()) return;
  Home home;
  make_tree(home);
  const auto tree = home.file("tree");
  for (const auto& entry : fs::recursive_directory_iterator(tree))
    REQUIRE(lchown(entry.path().c_str(), test::user(), test::user()) == 0);
  const auto body = micro::share("fs", tree, "virtiofs", true) +
                    micro::share("nine", tree, "9p", true) + "security_model = \"none\"\n";
  home.write("probe.toml", body);
  if (contains(home.run({"check", "probe.toml"}).err, "virtiofsd"))
    return micro::skip("virtiofsd is not installed");
  const Guest guest(home, "web",
                    {.body = body,
                     .words = "share=9p:nine:/mnt/nine share=virtiofs:fs:/mnt/fs",
                     .ready = "serial:micro: ready"});
  const auto look = [&](const std::string& folder) {
    const auto seen = home.run({"exec", "web", "--", "sh", "-c", describe, "sh", folder});
    CHECK_MESSAGE(seen.code == 0, seen.err);
    return seen.out;
  };
  const auto nine = look("/mnt/nine");
  const auto fast = look("/mnt/fs");
  CHECK(nine == fast);
  // As the owner sees it on the host, by the same words.
  const auto host = qlaunch::run_and_capture(
      home.program({"env", "LC_ALL=C", "bash", "-c", describe, "sh", tree}),
      std::chrono::minutes(1), std::size_t{1} << 20);
  CHECK(host.ok());
  CHECK(nine == host.out);
  // All of it was there.
  CHECK(std::count(nine.begin(), nine.end(), '\n') == 34);

  // How it would be mounted is told where nobody does it.
  const auto told = guest.status()["shares"];
  REQUIRE(told.size() == 2);
  for (const auto& share : told) {
    const std::string command = share["mount_command"];
    CHECK(home.run({"exec", "web", "--", "sh", "-c",
                    "mkdir -p /mnt/other; umount /mnt/" + share["tag"].get<std::string>() + "; " +
                        command + " && ls /mnt/" + share["tag"].get<std::string>() + "/plain"})
              .code == 0);
  }
  CHECK(contains(home.run({"status", "web"}).out, "fileSystems.\"/mnt/nine\""));
}
