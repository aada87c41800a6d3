// SPDX-License-Identifier: MIT
// `image list`, `verify` and `prune`, and images that were altered behind qlaunch's back.
#include "host/files.hpp"
#include "system/image/server.hpp"

#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using nlohmann::json;
using test::contains;
using test::Home;
using test::image_files;
using test::only_image;
using test::Server;
namespace fs = std::filesystem;

namespace {

json listed(const Home& home) {
  const auto result = home.run({"image", "list", "--json"});
  REQUIRE(result.code == 0);
  return json::parse(result.out);
}

/// One byte is another, and the time of the file is what it was.
void alter(const std::string& path) {
  struct stat before {};
  REQUIRE(stat(path.c_str(), &before) == 0);
  fs::permissions(path, fs::perms{0600});
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(50'000);
    file.put('\xee');
  }
  const timespec times[] = {before.st_atim, before.st_mtim};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
}

}  // namespace

TEST_CASE("store: altered bytes are found, told, and replaced by the next pull") {
  const Server server;
  const Home home;
  const auto bytes = test::noise(100'000);
  const auto digest = server.put("f.raw", bytes);
  const std::vector<std::string> pull{
      "image", "pull", server.url("plain/f.raw"), "--sha512", digest, "--format", "raw"};
  REQUIRE(home.run(pull).code == 0);
  const auto image = only_image(home);
  const auto good = home.run({"image", "verify"});
  CHECK(good.code == 0);
  CHECK(contains(good.out, "sha512:" + digest.substr(0, 12) + "  good  "));
  alter(image);
  const auto bad = home.run({"image", "verify"});
  CHECK(bad.code == 1);
  CHECK(contains(bad.out, "ALTERED"));
  CHECK(contains(bad.err, "not what was downloaded any more"));
  CHECK(json::parse(home.run({"image", "verify", "--json"}).out).at(0).at("good") == false);
  REQUIRE(home.run(pull).code == 0);
  CHECK(qlaunch::read_file(image) == bytes);
  CHECK(home.run({"image", "verify"}).code == 0);
}

TEST_CASE("store: an image that was put there by hand is taken once its bytes are seen") {
  const Server server;
  const Home home;
  const auto digest = server.put("f.raw", test::noise(100'000));
  const auto folder = home.path() + "/cache/images";
  fs::create_directories(folder);
  const auto image = folder + "/sha512-" + digest + ".raw";
  fs::copy_file(server.file("f.raw"), image);
  for (const auto& each : {home.path() + "/cache", folder}) {
    fs::permissions(each, fs::perms{0700});
    REQUIRE(chown(each.c_str(), test::user(), test::user()) == 0);
  }
  const auto pulled =
      home.run({"image", "pull", "http://127.0.0.1:1/f", "--sha512", digest, "--format", "raw"});
  INFO(pulled.err);
  CHECK(pulled.code == 0);
  CHECK(contains(home.run({"image", "list"}).out, "put there by hand"));
  CHECK(only_image(home) == image);
}

TEST_CASE("store: prune takes what no VM needs, parts too, and asks") {
  const Server server;
  Home home;
  const auto fetch = [&](const std::string& name, unsigned seed) {
    const auto digest = server.put(name, test::noise(200'000, seed));
    CHECK(home.run({"image", "pull", server.url("plain/" + name), "--sha512", digest, "--format",
                    "raw"})
              .code == 0);
    return digest;
  };
  const auto needed = fetch("needed.raw", 1);
  fetch("idle.raw", 2);
  server.put("part.raw", test::noise(300'000, 3));
  CHECK(home.run({"image", "pull", server.url("plain/part.raw")}).code == 1);
  home.write("web.toml", "[[image]]\nname = \"i\"\nformat = \"raw\"\nurl = \"" +
                             server.url("plain/needed.raw") + "\"\nsha512 = \"" + needed +
                             "\"\n[[disk]]\nimage = \"i\"\n[machine]\nmemory = \"16 MiB\"\n"
                             "[[network]]\nmode = \"none\"\n[ready]\nwhen = \"started\"\n");
  const auto up = home.run({"up", "web.toml"});
  INFO(up.err);
  REQUIRE(up.code == 0);
  REQUIRE(home.run({"kill", "web"}).code == 0);

  const auto before = listed(home);
  REQUIRE(before.size() == 3);
  CHECK(before[2].at("state") == "partial");
  CHECK(before[2].at("size") == 300'000);
  for (const auto& image : {before[0], before[1]}) {
    CHECK(image.at("state") == "whole");
    CHECK(image.at("used_by") == (image.at("digest") == needed ? json{"web"} : json::array()));
  }
  SUBCASE("never without a yes") {
    const auto refused = home.run({"image", "prune"});
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, "--yes"));
    CHECK(listed(home).size() == 3);
  }
  SUBCASE("with it, all but what the stopped VM lies on") {
    const auto pruned = home.run({"image", "prune", "--yes"});
    CHECK(pruned.code == 0);
    CHECK(contains(pruned.out, "removed 2 files, "));
    CHECK(contains(pruned.out, " freed"));
    CHECK(contains(only_image(home), needed));
    CHECK(json::parse(home.run({"image", "prune", "--yes", "--json"}).out).empty());
    REQUIRE(home.run({"up", "web"}).code == 0);
  }
}

TEST_CASE("store: words that are wrong") {
  const Home home;
  CHECK(contains(home.run({"image", "list"}).err, "no images"));
  CHECK(home.run({"image", "list", "--json"}).out == "[]\n");
  CHECK(home.run({"image", "verify"}).code == 0);
  CHECK(home.run({"image", "prune"}).code == 0);
  for (const auto& [words, reason] :
       {std::pair<std::vector<std::string>, std::string>{{"image", "prun"},
                                                         "`qlaunch image prune`"},
        {{"image", "list", "x"}, "one word too many"},
        {{"image", "pull"}, "needs a URL"},
        {{"image", "pull", "nosuch"}, "there is no profile `nosuch`"},
        {{"image", "pull", "ftp://h/x"}, "is not a URL"},
        {{"image", "pull", "http://h/x", "--sha512", "ab"}, "128 digits"},
        {{"image", "pull", "http://h/x", "--limit", "much"}, "--limit"},
        {{"image", "pull", "http://h/x", "--format", "vdi"}, "qcow2 or raw"},
        {{"image", "pull", "hello"}, "has no [[image]]"}}) {
    const auto result = home.run(words);
    INFO(result.err);
    CHECK(result.code == 2);
    CHECK(contains(result.err, reason));
  }
}
