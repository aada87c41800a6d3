// SPDX-License-Identifier: MIT
// Wrong profiles that cannot lie in a repository: huge, binary, no file at all.
#include "core/error.hpp"
#include "profile/load.hpp"
#include "profile/read_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "qlaunch-wrong-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() { fs::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const fs::path& path() const { return path_; }
  void write(const std::string& text) const {
    std::ofstream(path_ / "vm.toml", std::ios::binary) << text;
  }
  std::string findings() const {
    qlaunch::ProfileWorld world;
    world.read = qlaunch::read_profile_file;
    const auto path = (path_ / "vm.toml").string();
    return qlaunch::render(qlaunch::load_profile(path, "vm.toml", {}, world).diagnostics);
  }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("a file of 10 MB is no profile") {
  const Scratch scratch;
  std::string text;
  text.resize(10'000'000, '#');
  scratch.write(text);
  CHECK(scratch.findings() ==
        "error: the file has 9.54 MiB, and a profile has at most 1 MiB\n"
        "  --> vm.toml\n"
        "  help: is this a disk image? a profile is a text file of a few lines\n");
}

TEST_CASE("a file of exactly the limit is read") {
  const Scratch scratch;
  std::string text = "[[disk]]\nsize = \"1 GiB\"\n";
  text.append(qlaunch::largest_profile - text.size(), '#');
  scratch.write(text);
  CHECK(scratch.findings().empty());
  scratch.write(text + '#');
  CHECK(scratch.findings() ==
        "error: the file has 1.00 MiB, and a profile has at most 1 MiB\n"
        "  --> vm.toml\n"
        "  help: is this a disk image? a profile is a text file of a few lines\n");
}

TEST_CASE("a folder is no profile") {
  const Scratch scratch;
  fs::create_directory(scratch.path() / "vm.toml");
  CHECK(scratch.findings() ==
        "error: this is a folder, not a profile\n"
        "  --> vm.toml\n"
        "  help: name a .toml file in it\n");
}

TEST_CASE("a file that does not exist") {
  const Scratch scratch;
  CHECK(scratch.findings() ==
        "error: cannot read the profile: No such file or directory\n"
        "  --> vm.toml\n"
        "  help: `qlaunch init` writes a first profile\n");
}

TEST_CASE("a file without permission to read") {
  const Scratch scratch;
  scratch.write("name = \"vm\"\n");
  ::chmod((scratch.path() / "vm.toml").c_str(), 0);
  // Root reads everything; as somebody else the file is as closed as it would be to its owner.
  constexpr uid_t somebody = 54321;
  const bool root = ::geteuid() == 0;
  fs::permissions(scratch.path(), fs::perms{0755});
  if (root) REQUIRE(::seteuid(somebody) == 0);
  const auto findings = scratch.findings();
  if (root) REQUIRE(::seteuid(0) == 0);
  CHECK(findings ==
        "error: cannot read the profile: Permission denied\n"
        "  --> vm.toml\n"
        "  help: look at the permissions of the file and its folder\n");
}

TEST_CASE("a device is no profile") {
  const Scratch scratch;
  fs::create_symlink("/dev/zero", scratch.path() / "vm.toml");
  CHECK(scratch.findings() ==
        "error: this is not a regular file\n"
        "  --> vm.toml\n"
        "  help: a profile is a text file\n");
}

TEST_CASE("invalid UTF-8 is named by its byte, line and column") {
  const Scratch scratch;
  scratch.write(
      "name = \"vm\"\ndescription = \"gr\xc3\xb6\xdf"
      "e\"\n");
  CHECK(scratch.findings() ==
        "error: byte 0xdf is not valid UTF-8\n"
        "  --> vm.toml:2:19\n"
        "   |\n"
        " 2 | description = \"gr\xc3\xb6\xef\xbf\xbd"
        "e\"\n"
        "   |                   ^\n"
        "  help: save the file as UTF-8; if this is no text file, it is no profile\n");
}

TEST_CASE("a binary file is no profile") {
  const Scratch scratch;
  scratch.write(
      std::string("\x7f"
                  "ELF\0\0\0\0",
                  8));
  CHECK(scratch.findings() ==
        "error: the file holds a NUL byte\n"
        "  --> vm.toml:1:5\n"
        "   |\n"
        " 1 | \\x7fELF\\x00\\x00\\x00\\x00\n"
        "   |        ^^^^\n"
        "  help: a profile is a text file; is this a disk image or a binary?\n");
}

TEST_CASE("deep nesting is refused before anything recurses") {
  const Scratch scratch;
  const std::string expected = "  help: no key of a profile lies deeper than four levels\n";
  SUBCASE("lists") {
    scratch.write("boot = " + std::string(500'000, '['));
    const auto found = scratch.findings();
    CHECK(found.starts_with("error: nested more than 32 levels deep\n  --> vm.toml:1:40\n"));
    CHECK(found.ends_with(expected));
  }
  SUBCASE("keys with dots") {
    std::string text = "a";
    for (int level = 0; level < 400'000; ++level) text += ".a";
    scratch.write(text + " = 1\n");
    const auto found = scratch.findings();
    CHECK(found.starts_with("error: nested more than 32 levels deep\n  --> vm.toml:1:66\n"));
    CHECK(found.ends_with(expected));
  }
  SUBCASE("brackets in strings and comments are not nesting") {
    const std::string many(100, '[');
    scratch.write("# " + many + "\ndescription = \"" + many + "\"\n[[disk]]\nsize = \"1 GiB\"\n");
    CHECK(scratch.findings().empty());
  }
}

TEST_CASE("a byte order mark is no part of the first line") {
  const Scratch scratch;
  scratch.write("\xef\xbb\xbfnmae = \"vm\"\n[[disk]]\nsize = \"1 GiB\"\n");
  CHECK(scratch.findings() ==
        "error: unknown key `nmae` at the top level\n"
        "  --> vm.toml:1:1\n"
        "   |\n"
        " 1 | nmae = \"vm\"\n"
        "   | ^^^^\n"
        "  help: did you mean `name`?\n");
}
