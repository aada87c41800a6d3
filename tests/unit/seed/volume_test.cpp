// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "guest/seed_volume.hpp"
#include "host/files.hpp"
#include "plan/seed/marks.hpp"
#include "plan/seed/volume_json.hpp"
#include "yaml.hpp"

#include <filesystem>

#include <sys/stat.h>

namespace fs = std::filesystem;
using qlaunch::MakeSeed;

namespace {

/// What qlaunch-seed makes of it.
qlaunch::Captured volume(const std::string& json) {
  const char* program = std::getenv("QLAUNCH_SEED");
  REQUIRE(program != nullptr);
  return test::run_with({program}, json);
}

const std::vector<MakeSeed::File> files{
    {"user-data", "#cloud-config\n"},
    {"provision.system/00-first", "#!/bin/sh\n", true},
    {"a name that Joliet has and ISO 9660 has not.with.dots", std::string("\0\xff\n", 3)}};

/// The sector of the volume descriptor of this type.
std::string descriptor(const std::string& image, char type) {
  for (std::size_t at = 16 * 2048; at + 2048 <= image.size(); at += 2048) {
    REQUIRE(image.compare(at + 1, 5, "CD001") == 0);
    if (image[at] == type) return image.substr(at, 2048);
    REQUIRE(image[at] != '\xff');
  }
  return {};
}

}  // namespace

TEST_CASE("a volume has the label, Joliet and Rock Ridge, and the files' bytes") {
  const auto made = volume(qlaunch::seed_volume_json(files, "NOTE 1"));
  REQUIRE_MESSAGE(made.ok(), made.err);
  const auto& image = made.out;
  CHECK(image.size() % 2048 == 0);
  CHECK(descriptor(image, 1).substr(40, 7) == "cidata ");
  CHECK(descriptor(image, 1).substr(574, 7) == "NOTE 1 ");
  // UCS-2, level 3.
  CHECK(descriptor(image, 2).substr(88, 3) == "%/E");
  CHECK(image.find("RRIP_1991A") != std::string::npos);
  CHECK(image.find("a name that Joliet has and ISO 9660 has not.with.dots") != std::string::npos);
  CHECK(image.find(std::string("\0\xff\n", 3)) != std::string::npos);
}

TEST_CASE("the same files give the same volume at another time and in another zone") {
  const auto json = qlaunch::seed_volume_json(files, "");
  const auto first = volume(json);
  REQUIRE(first.ok());
  const auto begin = time(nullptr);
  while (time(nullptr) == begin) usleep(10000);
  setenv("TZ", "Pacific/Auckland", 1);
  const auto second = volume(json);
  unsetenv("TZ");
  CHECK(first.out == second.out);
}

TEST_CASE("what is no description of a volume is refused") {
  for (const auto* json : {"", "{}", "[]", R"({"label": "x", "files": [{"name": "a"}]})",
                           R"({"label": "x", "files": [{"name": "a", "base64": "?"}]})"}) {
    const auto made = volume(json);
    CHECK(made.status != 0);
    CHECK(made.out.empty());
    CHECK(made.err.find('\n') == made.err.size() - 1);
  }
}

TEST_CASE("keys take the place of their marks, and no other text does") {
  const qlaunch::SshIdentity identity{"/k", "ssh-ed25519 AAAA q", "/h", "ssh-ed25519 BBBB q", "/n"};
  const auto text = std::string("a ") + qlaunch::own_key_mark + " b " + qlaunch::host_key_mark +
                    " c " + qlaunch::host_public_key_mark + ' ' + qlaunch::own_key_mark;
  CHECK(qlaunch::with_keys(text, identity, "-----BEGIN\nxyz\n") ==
        "a ssh-ed25519 AAAA q b -----BEGIN\\nxyz\\n c ssh-ed25519 BBBB q ssh-ed25519 AAAA q");
}
