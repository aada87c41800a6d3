// SPDX-License-Identifier: MIT
// The folder of images: names, records, parts, and that nothing half-done is taken for an image.
#include "core/error.hpp"
#include "host/scratch.hpp"
#include "image/convert.hpp"
#include "image/image_store.hpp"

#include <algorithm>
#include <filesystem>

#include <doctest/doctest.h>

#include <unistd.h>

using namespace qlaunch;
namespace fs = std::filesystem;

namespace {

const std::string digits(128, 'a');

struct Store : test::Folder {
  Store() : store(path()) { folder("images"); }
  std::string file(const std::string& name) const { return store.folder() + '/' + name; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(store.folder()))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }
  ImageStore store;
  ImageName image{"sha512", digits, DiskFormat::qcow2};
};

ImageRecord record(std::uint64_t stored) {
  return {"http://h/f", digits, 9, stored, "2026-01-31T12:00:00Z", "xz, unpacked", true, 0};
}

}  // namespace

TEST_CASE("names: an image's file says what it is, and nothing else passes for one") {
  const ImageName one{"sha256", std::string(64, '0'), DiskFormat::raw};
  CHECK(parse_image_name(file_name(one)) == one);
  const ImageName other{"sha512", digits, DiskFormat::qcow2};
  CHECK(file_name(other) == "sha512-" + digits + ".qcow2");
  CHECK(parse_image_name(file_name(other)) == other);
  for (const auto& wrong : {"sha512-" + digits + ".qcow2.json", "sha512-" + digits,
                            "sha512-" + digits + ".vmdk", "sha256-" + digits + ".raw",
                            "sha512-" + std::string(128, 'A') + ".raw", std::string("md5-00.raw"),
                            std::string(".qcow2-a"), std::string("url-0123.part"), std::string()})
    CHECK_FALSE(parse_image_name(wrong));
}

TEST_CASE("names: words of the command line become URLs") {
  CHECK(url_of("https://h/x%20y", "/here") == "https://h/x%20y");
  CHECK(url_of("./a b#c?.qcow2", "/here") == "file:///here/a%20b%23c%3f.qcow2");
  CHECK(url_of("/tmp/d\xc3\xa9j\xc3\xa0.img", "/here") == "file:///tmp/d%c3%a9j%c3%a0.img");
}

TEST_CASE("names: the lines for a profile are TOML that a profile takes") {
  const ImageName name{"sha512", digits, DiskFormat::qcow2};
  CHECK(profile_lines("https://u:p@h/pool/debian-12.qcow2?x=1", name) ==
        "[[image]]\nname = \"debian-12\"\nurl = \"https://h/pool/debian-12.qcow2?x=1\"\n"
        "sha512 = \"" +
            digits + "\"\n");
  const ImageName raw{"sha256", std::string(64, '0'), DiskFormat::raw};
  const auto lines = profile_lines("file:///%20", raw);
  CHECK(lines.find("name = \"20\"") != std::string::npos);
  CHECK(lines.find("format = \"raw\"") != std::string::npos);
  CHECK(profile_lines("http://h/", raw).find("name = \"image\"") != std::string::npos);
}

TEST_CASE("records: as they were written, or nothing") {
  const auto one = record(5);
  CHECK(parse_image_record(to_json(one)) == one);
  const auto text = to_json(one);
  for (std::size_t length = 0; length + 2 < text.size(); length += 7)
    CHECK_FALSE(parse_image_record(text.substr(0, length)));
}

TEST_CASE("a part: one holder at a time, and what becomes of it") {
  Store folder;
  const auto stem = folder.store.stem("http://h/f");
  auto part = Part::take(stem);
  REQUIRE(part);
  CHECK_FALSE(Part::take(stem));
  CHECK(part->size() == 0);
  SUBCASE("it becomes the image, with a record that knows the file as it is") {
    REQUIRE(pwrite(part->fd(), "image", 5, 0) == 5);
    folder.store.keep(folder.image, record(5), *part);
    part.reset();
    CHECK(folder.files() ==
          std::vector<std::string>{file_name(folder.image), file_name(folder.image) + ".json"});
    CHECK(test::mode_of(folder.store.path(folder.image)) == 0400);
    // Nobody has to read the bytes again.
    CHECK(folder.store.look(folder.image, {}) == ImageStore::State::good);
    const auto images = folder.store.images();
    REQUIRE(images.size() == 1);
    CHECK(images[0].name == folder.image);
    CHECK(images[0].size == 5);
    CHECK(images[0].record->url == "http://h/f");
  }
  SUBCASE("whoever waited finds a new part, not the image under its old name") {
    REQUIRE(pwrite(part->fd(), "image", 5, 0) == 5);
    folder.store.keep(folder.image, record(5), *part);
    part.reset();
    auto next = Part::take(stem);
    REQUIRE(next);
    CHECK(next->size() == 0);
    next->remove_if_empty();
    CHECK(folder.files().size() == 2);
  }
  SUBCASE("one without a byte leaves nothing, one with bytes stays") {
    REQUIRE(pwrite(part->fd(), "x", 1, 0) == 1);
    part->remove_if_empty();
    CHECK(folder.files().size() == 2);
    part->remove();
    CHECK(folder.files().empty());
  }
  SUBCASE("it is listed, with how far it is") {
    const auto text = to_json(PartState{"http://h/f", "", "", 8, false});
    REQUIRE(pwrite(part->state_fd(), text.data(), text.size(), 0) > 0);
    REQUIRE(pwrite(part->fd(), "xy", 2, 0) == 2);
    const auto parts = folder.store.parts();
    REQUIRE(parts.size() == 1);
    CHECK(parts[0].size == 2);
    CHECK(parts[0].state.total == 8U);
    CHECK(part->state().url == "http://h/f");
    // A download that goes on is not pruned.
    CHECK_FALSE(folder.store.remove(parts[0]));
    part.reset();
    CHECK(folder.store.remove(parts[0]));
    CHECK(folder.files().empty());
  }
}

TEST_CASE("what is unpacked has no name before it is whole") {
  Store folder;
  {
    const FreshFile file(folder.store.stem("http://h/f"));
    REQUIRE(pwrite(file.fd(), "image", 5, 0) == 5);
    CHECK(folder.files().empty());
  }
  CHECK(folder.files().empty());
  FreshFile file(folder.store.stem("http://h/f"));
  REQUIRE(pwrite(file.fd(), "image", 5, 0) == 5);
  folder.store.keep(folder.image, record(5), file);
  CHECK(folder.files().size() == 2);
  SUBCASE("and replaces one that was altered") {
    FreshFile again(folder.store.stem("http://h/f"));
    REQUIRE(pwrite(again.fd(), "other", 5, 0) == 5);
    folder.store.keep(folder.image, record(5), again);
    CHECK(read_file(folder.store.path(folder.image)) == "other");
    CHECK(folder.files().size() == 2);
  }
}

TEST_CASE("an image that a start holds is not removed, and goes after that") {
  Store folder;
  FreshFile file(folder.store.stem("u"));
  folder.store.keep(folder.image, record(0), file);
  const auto image = folder.store.images().at(0);
  {
    const auto held = hold_image(image.path);
    REQUIRE(held);
    CHECK_FALSE(folder.store.remove(image));
  }
  // A start took it up, and has let go of it again.
  CHECK_FALSE(folder.store.remove(image, [] { return true; }));
  CHECK(hold_image(image.path));
  CHECK(folder.store.remove(image));
  CHECK(folder.files().empty());
  CHECK_FALSE(hold_image(image.path));
}

TEST_CASE("tidying takes what belongs to nothing, and only that") {
  Store folder;
  FreshFile file(folder.store.stem("u"));
  folder.store.keep(folder.image, record(0), file);
  auto part = Part::take(folder.store.stem("v"));
  const auto before = folder.files();
  folder.write("images/url-0000000000000000.json", "{}");
  folder.write("images/url-0000000000000000.new", "x");
  folder.write("images/sha512-" + std::string(128, 'b') + ".raw.json", "{}");
  folder.write("images/notes.txt", "the user's");
  folder.store.tidy();
  auto expected = before;
  expected.emplace_back("notes.txt");
  std::sort(expected.begin(), expected.end());
  CHECK(folder.files() == expected);
}

TEST_CASE("a folder that is not there holds nothing") {
  const ImageStore store("/tmp/qlaunch-test-nothing-here");
  CHECK(store.images().empty());
  CHECK(store.parts().empty());
  store.tidy();
  CHECK(store.look({"sha512", digits, DiskFormat::raw}, {}) == ImageStore::State::missing);
}

TEST_CASE("qemu-img's progress is the last of its numbers") {
  CHECK(percent_in("") == 0);
  CHECK(percent_in("    (0.00/100%)\r    (12.50/100%)\r") == doctest::Approx(12.5));
  CHECK(percent_in("    (12.50/100%)\r    (13.") == doctest::Approx(12.5));
}
