// SPDX-License-Identifier: MIT
// The functions of what runs in the guest as root, against a user there who has no sudo.
#include "host/files.hpp"
#include "yaml.hpp"

using qlaunch::read_file;

namespace {

/// Without what stands around them: the guest's own folders and its ports.
std::string functions() {
  const char* path = std::getenv("QLAUNCH_PROVISION");
  REQUIRE(path != nullptr);
  const auto text = read_file(path);
  const auto begin = text.find("# ---- what `settings` calls");
  const auto end = text.find("# ---- a stage");
  REQUIRE(begin < end);
  REQUIRE(end != std::string::npos);
  return text.substr(begin, end - begin);
}

/// In a folder with the home of `nobody` and a file and a folder that are root's.
std::string run(const std::string& calls) {
  const std::string before = R"sh(set -u
scratch=$(mktemp -d "${TMPDIR:-/tmp}/qlaunch-test-XXXXXX") || exit
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit
umask 022
mkdir home etc etc/below state state/scripts state/log state/done here
echo secret >etc/shadow
chmod 755 . && chmod 600 etc/shadow && chown nobody home
user=nobody chosen=yes home=$scratch/home here=$scratch/here state=$scratch/state out=/dev/null
say() { echo "$*" | sed "s|$scratch||g"; }
tell() { cat; }
fail() { say "failed $*"; exit 1; }
mount() { :; }
see() { for each; do echo "$each $(stat -c '%U %a' "$each")"; done; }
)sh";
  const auto done = test::run_with({"/bin/sh"}, before + functions() + calls);
  CHECK(done.err == "");
  return done.out;
}

bool is_root() {
  if (geteuid() == 0) return true;
  std::cout << "[skip] " << doctest::getContextOptions()->currentTest->m_name
            << ": only root can be somebody else" << std::endl;
  return false;
}

}  // namespace

TEST_CASE("a key is told once, in a file of the user's") {
  if (!is_root()) return;
  CHECK(run("stage=early; key 'ssh-ed25519 AAAA it'\"'\"'s $(id) \\n'\n"
            "key 'ssh-ed25519 AAAA changed'; key 'ssh-ed25519 BBBB'\n"
            "cat home/.ssh/authorized_keys; see home/.ssh home/.ssh/authorized_keys\n") ==
        "ssh-ed25519 AAAA it's $(id) \\n\nssh-ed25519 BBBB\n"
        "home/.ssh nobody 700\nhome/.ssh/authorized_keys nobody 600\n");
}

TEST_CASE("a home that root made on the way to a mount becomes the user's") {
  if (!is_root()) return;
  CHECK(run("stage=early; chown root home; key 'ssh-ed25519 AAAA'\n"
            "see home home/.ssh/authorized_keys\n") ==
        "home nobody 755\nhome/.ssh/authorized_keys nobody 600\n");
}

TEST_CASE("a link in place of the keys gives the user nothing of root's") {
  if (!is_root()) return;
  CHECK(
      run("stage=early; mkdir home/.ssh; ln -s \"$scratch/etc/shadow\" home/.ssh/authorized_keys\n"
          "chown -hR nobody home; key 'ssh-ed25519 AAAA' 2>/dev/null\n"
          "cat etc/shadow; see etc/shadow\n") == "secret\netc/shadow root 600\n");
}

TEST_CASE("a share is mounted behind no link of the user's") {
  if (!is_root()) return;
  CHECK(run("stage=late; ln -s \"$scratch/etc\" home/a; chown -h nobody home/a\n"
            "share work \"$home/a/below/x\" 9p ro; share work \"$home/a/\" 9p ro\n"
            "share work \"$home/b/c\" 9p ro\n"
            "ls etc/below; see etc etc/below home/b\n") ==
        "cannot mount work on /home/a/below/x: a link leads elsewhere\n"
        "cannot mount work on /home/a/: a link leads elsewhere\n"
        "etc root 755\netc/below root 755\nhome/b nobody 755\n");
}

TEST_CASE("a file is written through no link of the user's") {
  if (!is_root()) return;
  CHECK(run("stage=lima; echo text >here/file-1; ln -s \"$scratch/etc/shadow\" home/f.qlaunch\n"
            "ln -s \"$scratch/etc\" home/f; file file-1 \"$home/f\" 0640 nobody\n"
            "cat etc/shadow home/f; ls etc; see etc/shadow home/f\n") ==
        "secret\ntext\nbelow\nshadow\netc/shadow root 600\nhome/f nobody 640\n");
}

TEST_CASE("root's script is not the file of a user's that had its number before") {
  if (!is_root()) return;
  CHECK(run("stage=late; echo echo new >here/script-1; echo old >state/scripts/script-1\n"
            "chown nobody state/scripts/script-1; script script-1 boot root 0a one\n"
            "see state/scripts/script-1\n") ==
        "running one\n| new\nstate/scripts/script-1 root 700\n");
}
