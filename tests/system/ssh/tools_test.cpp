// SPDX-License-Identifier: MIT
// `copy`, and other programs that get into guests through what `ssh-config` says.
#include "core/text.hpp"
#include "host/files.hpp"
#include "ssh/parts.hpp"

#include <filesystem>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace ssh_test;
using test::contains;
using test::Home;

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> odd_names = {"a b", "-x", "c:d", "e'f", "ü", "g\nh", "$HOME", "[x]"};

void check_copies(const Home& home) {
  std::vector<std::string> words{"copy"};
  for (const auto& name : odd_names) {
    home.write("odd/" + name, "in " + name);
    words.push_back(name.starts_with('-') ? "./" + name : name);
  }
  home.write("odd/folder/deep/file", "deep");
  for (const auto* folder : {"odd/folder", "odd"})
    REQUIRE(chown(home.file(folder).c_str(), test::user(), test::user()) == 0);
  words.insert(words.end(), {"folder", "root@one:/tmp"});
  words.insert(words.begin(), test::binary());
  const auto there = run(home, words, home.file("odd"));
  CHECK_MESSAGE(there.code == 0, there.err);
  CHECK(home.run({"ssh", "root@one", "--", "cat", "/tmp/c:d", "/tmp/-x", "/tmp/g\nh",
                  "/tmp/folder/deep/file"})
            .out == "in c:din -xin g\nhdeep");

  // Back, several at once, and a whole folder.
  home.write("back/.keep", "");
  const auto back = home.run({"copy", "root@one:/tmp/a b", "root@one:/tmp/c:d", "root@one:/tmp/-x",
                              "root@one:/tmp/ü", "root@one:/tmp/folder", "back"});
  CHECK_MESSAGE(back.code == 0, back.err);
  for (const auto* name : {"a b", "c:d", "-x", "ü"})
    CHECK(qlaunch::read_file(home.file("back/" + std::string(name))) == "in " + std::string(name));
  CHECK(qlaunch::read_file(home.file("back/folder/deep/file")) == "deep");

  // From guest to guest, which do not know each other.
  const auto across = home.run({"copy", "root@one:/tmp/a b", "root@two:/tmp/from one"});
  CHECK_MESSAGE(across.code == 0, across.err);
  CHECK(home.run({"ssh", "root@two", "--", "cat", "/tmp/from one"}).out == "in a b");

  // What is here and what is there is told apart.
  home.write("nobody:x", "a file of this host");
  CHECK(home.run({"copy", "nobody:x", "root@one:"}).code == 0);
  CHECK(home.run({"ssh", "root@one", "--", "cat", "nobody:x"}).out == "a file of this host");
  CHECK(home.run({"copy", "nobody:y", "root@one:"}).code == 3);
  CHECK(home.run({"copy", "missing", "root@one:"}).code == 1);
  CHECK(home.run({"copy", "root@one:/missing", "back"}).code != 0);
  CHECK(home.run({"copy", "nobody:x", "back"}).code == 2);
}

void check_install(const Home& home) {
  const auto real = home.write("dotfiles/ssh config", "# mine\nHost elsewhere\n  User me\n");
  REQUIRE(chmod(real.c_str(), 0640) == 0);
  fs::create_symlink("../dotfiles/ssh config", home.file(".ssh/config"));
  const auto asked = home.run({"ssh-config", "--install"});
  CHECK(asked.code == 2);
  CHECK(contains(asked.err, "--yes"));
  CHECK(qlaunch::read_file(real) == "# mine\nHost elsewhere\n  User me\n");

  CHECK(home.run({"ssh-config", "--install", "--yes"}).code == 0);
  const auto line = "Include \"" + home.path() + "/data/ssh_config\"\n";
  CHECK(qlaunch::read_file(real) == line + "\n# mine\nHost elsewhere\n  User me\n");
  CHECK(fs::is_symlink(home.file(".ssh/config")));
  struct stat before {
  }, after{};
  REQUIRE(stat(real.c_str(), &before) == 0);
  CHECK((before.st_mode & 0777) == 0640);

  CHECK(home.run({"ssh-config", "--install"}).code == 0);
  REQUIRE(stat(real.c_str(), &after) == 0);
  CHECK(after.st_ino == before.st_ino);
  CHECK(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

void check_tools(const Home& home) {
  const auto config = home.file(".ssh/config");
  const auto ssh = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"ssh", "-F", config, "-o", "BatchMode=yes", "-l", "root"});
    return run(home, words);
  };
  CHECK(ssh({"qlaunch-one", "echo reached"}).out == "reached\n");
  home.write("plain", "by scp");
  CHECK(run(home, {"scp", "-q", "-F", config, home.file("plain"), "root@qlaunch-one:/tmp/plain"})
            .code == 0);
  CHECK(ssh({"qlaunch-one", "cat /tmp/plain"}).out == "by scp");

  // A real server's git in the guest: the host's own, which it sees read-only.
  const auto repository = home.file("repository");
  REQUIRE(run(home, {"git", "init", "-q", "-b", "main", repository}).code == 0);
  REQUIRE(run(home, {"git", "-C", repository, "-c", "user.name=t", "-c", "user.email=t@t", "commit",
                     "-q", "--allow-empty", "-m", "first"})
              .code == 0);
  const auto head = run(home, {"git", "-C", repository, "rev-parse", "main"});
  const auto listed =
      run(home, {"git", "-c", "core.sshCommand=ssh -o BatchMode=yes -F '" + config + "'",
                 "ls-remote", "--upload-pack=chroot /host git -c safe.directory=* upload-pack",
                 "root@qlaunch-one:" + repository, "refs/heads/main"});
  CHECK_MESSAGE(contains(listed.out, std::string(qlaunch::trim(head.out))), listed.err);

  // The port is another one now, and the file says nothing of it.
  const auto port = home.run({"status", "one", "--get", "ssh_port"}).out;
  const auto old = std::string(qlaunch::trim(port));
  CHECK(home.run({"forward", "remove", "one", old + ":22"}).code == 0);
  CHECK(home.run({"forward", "add", "one", "auto:22"}).code == 0);
  CHECK(home.run({"status", "one", "--get", "ssh_port"}).out != port);
  CHECK(ssh({"qlaunch-one", "echo still"}).out == "still\n");

  // VMs come and go.
  CHECK(contains(qlaunch::read_file(home.path() + "/data/ssh_config"), "Host qlaunch-two\n"));
  CHECK(home.run({"kill", "two"}).code == 0);
  const auto stopped = ssh({"qlaunch-two", "true"});
  CHECK(stopped.code == 255);
  CHECK(contains(stopped.err, "qlaunch up two"));
  CHECK(home.run({"rename", "two", "three"}).code == 0);
  const auto blocks = qlaunch::read_file(home.path() + "/data/ssh_config");
  CHECK(contains(blocks, "Host qlaunch-three\n"));
  CHECK(!contains(blocks, "Host qlaunch-two\n"));

  // One whose keys are damaged is told, and hides none of the others.
  fs::create_directory(home.path() + "/data/three/ssh/keys");
  const auto most = home.run({"ssh-config"});
  CHECK(most.code == 0);
  CHECK(contains(most.out, "Host qlaunch-one\n"));
  CHECK(!contains(most.out, "Host qlaunch-three\n"));
  CHECK(contains(most.err, "VM `three` is left out"));
  CHECK(home.run({"ssh-config", "three"}).code == 1);
  const auto refreshed = home.run({"ssh-config", "--install"});
  CHECK(refreshed.code == 0);
  CHECK(contains(refreshed.err, "VM `three` is left out"));
  const auto left = qlaunch::read_file(home.path() + "/data/ssh_config");
  CHECK(contains(left, "Host qlaunch-one\n"));
  CHECK(!contains(left, "Host qlaunch-three\n"));
}

}  // namespace

TEST_CASE("what is edited in the user's configuration while a question stands is kept") {
  Home home;
  const auto config = home.write(".ssh/config", "# old\n");
  Fed asking(home, {"script", "-qec", test::binary() + " ssh-config --install", "/dev/null"},
             "asking");
  CHECK(test::eventually([&] { return contains(asking.out(), "add it?"); }));
  home.write(".ssh/config", "# new, and longer\n");
  asking.feed("y\r");
  CHECK(asking.end() == 0);
  CHECK(qlaunch::read_file(config) ==
        "Include \"" + home.path() + "/data/ssh_config\"\n\n# new, and longer\n");
}

TEST_CASE("copies both ways and from guest to guest; tools that speak ssh by themselves") {
  if (micro::skipped()) return;
  Home home;
  take_key(home);
  const micro::Guest one(
      home, "one",
      recipe(micro::share("host", "/", "9p", true) + "security_model = \"none\"\n",
             "share=9p:host:/host:cache=loose,ro"));
  const micro::Guest two(home, "two", recipe());
  check_copies(home);
  check_install(home);
  CHECK(one.wait("serial:micro: ready").code == 0);
  check_tools(home);
}
