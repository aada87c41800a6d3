// SPDX-License-Identifier: MIT
// Which host key of a guest is trusted: one that was given a key and has made its own, as an image
// without cloud-init does; first contact by each way there is; attempts that are cut off.
#include "host/files.hpp"
#include "ssh/parts.hpp"

#include <cstdlib>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

using namespace ssh_test;
using test::contains;
using test::Home;

namespace {

class Known {
 public:
  explicit Known(const Home& home) : path_(home.path() + "/data/box/ssh/known_hosts") {}

  std::string text() const { return qlaunch::try_read_file(path_).value_or(""); }
  void set(const std::string& text) const {
    qlaunch::write_file_atomic(path_, text);
    REQUIRE(chown(path_.c_str(), test::user(), test::user()) == 0);
  }
  /// As nobody has been there yet.
  void forget() const { unlink(path_.c_str()); }

 private:
  std::string path_;
};

const std::string& learned() {
  static const std::string line = "qlaunch-guest " + host_key() + "\n";
  return line;
}

void check_first_contact(const Home& home, const Known& known) {
  home.write("config", home.run({"ssh-config", "box"}).out);
  // The key that the guest was given is the one to expect, until it shows another.
  CHECK(contains(known.text(), "given-not-shown"));
  const auto by_tool =
      run(home, {"ssh", "-F", home.file("config"), "-o", "BatchMode=yes", "-o",
                 "StrictHostKeyChecking=yes", "-l", "root", "qlaunch-box", "echo reached"});
  CHECK_MESSAGE(by_tool.out == "reached\n", by_tool.err);
  CHECK(known.text() == learned());

  known.forget();
  Fed one(home, {test::binary(), "ssh", "--no-share", "root@box", "--", "exit 11"}, "one");
  Fed other(home, {test::binary(), "ssh", "root@box", "--", "exit 12"}, "other");
  CHECK_MESSAGE(one.end() == 11, one.out());
  CHECK_MESSAGE(other.end() == 12, other.out());
  CHECK(known.text() == learned());
}

/// An ssh that ends whoever has started it with the second connection: as a Ctrl-C or a crash
/// would, while another key is tried than the known one.
void check_cut_off(const Home& home, const Known& known) {
  end_shared(home);
  const auto stranger = "qlaunch-guest ssh-ed25519 " + std::string(68, 'A') + "\n";
  known.set(stranger);
  const auto fake = home.write("bin/ssh",
                               "#!/bin/sh\n"
                               "if [ -e \"$0.first\" ]; then kill -9 $PPID; exit 255; fi\n"
                               ": > \"$0.first\"\n"
                               "exec /usr/bin/ssh \"$@\"\n");
  REQUIRE(chmod(fake.c_str(), 0755) == 0);
  REQUIRE(chown(home.file("bin").c_str(), test::user(), test::user()) == 0);
  const auto cut = run(home, {"env", "PATH=" + home.file("bin") + ':' + std::getenv("PATH"),
                              test::binary(), "ssh", "root@box", "--", "echo reached"});
  CHECK(cut.code == 128 + SIGKILL);
  CHECK(known.text() == stranger);
  const auto refused = home.run({"ssh", "root@box", "--", "echo reached"});
  CHECK(refused.code == 125);
  CHECK(contains(refused.err, "another host key"));
  CHECK(known.text() == stranger);
}

/// Who does not get in has seen the key all the same.
void check_locked(const Home& home, const Known& known) {
  end_shared(home);
  known.set("qlaunch-guest " + host_key() + " given-not-shown\n");
  CHECK(unlink(home.file(".ssh/id_ed25519").c_str()) == 0);
  const auto locked = home.run({"ssh", "root@box", "--", "true"});
  CHECK(locked.code == 125);
  CHECK(contains(locked.err, "Permission denied"));
  CHECK(known.text() == learned());
}

}  // namespace

TEST_CASE("the host key of a guest that does not take the given one") {
  if (micro::skipped()) return;
  Home home;
  take_key(home);
  const micro::Guest guest(home, "box", recipe("guest.via = [\"credentials\"]\n"));
  const Known known(home);
  check_first_contact(home, known);
  check_cut_off(home, known);
  check_locked(home, known);
}
