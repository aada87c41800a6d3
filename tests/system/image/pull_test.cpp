// SPDX-License-Identifier: MIT
// `image pull` from servers that do well, and from some that make it hard; digests; two at once.
#include "core/text.hpp"
#include "host/files.hpp"
#include "system/image/server.hpp"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <future>

#include <doctest/doctest.h>

#include <sys/wait.h>

using nlohmann::json;
using test::contains;
using test::Home;
using test::image_files;
using test::only_image;
using test::pull;
using test::Server;
namespace fs = std::filesystem;

namespace {

std::string all(const std::vector<std::string>& names) {
  return qlaunch::join(names, " ");
}

}  // namespace

TEST_CASE("pull: every kind of server gives the same bytes, and nothing else is left") {
  const auto bytes = test::noise(3'000'000);
  const Server server;
  const auto digest = server.put("f.raw", bytes);
  // Several wait for their next try: they do so side by side.
  std::vector<std::future<void>> pulls;
  for (const std::string path :
       {"plain/f.raw", "noranges/f.raw", "nolength/f.raw", "bare/f.raw",
        "cut/f.raw?at=1000000&times=2", "bare/f.raw?at=1", "hang/f.raw?at=1000000",
        "redirect/f.raw", "chain/10/f.raw", "status/503/f.raw?times=1", "slow/f.raw?rate=9000000",
        "typed/application/octet-stream/f.raw"}) {
    pulls.push_back(std::async(std::launch::async, [&server, &bytes, &digest, path] {
      const Home home;
      auto words = pull(server.url(path), digest);
      words.insert(words.end(), {"--timeout", "1s"});
      const auto result = home.run(words);
      INFO(path << ": " << result.err);
      CHECK(result.code == 0);
      CHECK(contains(result.out, ": downloaded, sha512:" + digest.substr(0, 12)));
      CHECK(result.err.empty());
      const auto image = only_image(home);
      CHECK(contains(image, digest + ".raw"));
      CHECK(qlaunch::read_file(image) == bytes);
      const auto record = json::parse(qlaunch::read_file(image + ".json"));
      CHECK(record.at("url") == server.url(path));
      CHECK(record.at("verified") == true);
      CHECK(record.at("downloaded") == bytes.size());
    }));
  }
  for (auto& each : pulls) each.get();
  // What was cut went on from there.
  std::vector<std::string> ranges;
  for (const auto& request : server.log()) {
    if (contains(request.at("path"), "/cut/") && request.at("range").is_string())
      ranges.push_back(request.at("range"));
  }
  CHECK(all(ranges) == "bytes=1000000- bytes=2000000-");
}

TEST_CASE("pull: a digest is needed, and what is downloaded without one is used once it is given") {
  const Server server;
  const Home home;
  const auto digest = server.put("debian.raw", test::noise(100'000));
  const auto url = server.url("plain/debian.raw");
  const auto first = home.run({"image", "pull", url, "--format", "raw"});
  CHECK(first.code == 1);
  CHECK(first.out == "[[image]]\nname = \"debian\"\nurl = \"" + url + "\"\nsha512 = \"" + digest +
                         "\"\nformat = \"raw\"\n");
  CHECK(contains(first.err, "nothing says what the digest"));
  CHECK(contains(first.err, "--insecure-no-digest"));
  // No image of that name yet: nothing can use it.
  CHECK_FALSE(fs::exists(home.path() + "/cache/images/sha512-" + digest + ".raw"));
  SUBCASE("given later, nothing is downloaded again") {
    CHECK(home.run(pull(url, digest)).code == 0);
    CHECK(server.log().size() == 1);
    CHECK(contains(only_image(home), digest));
    // And once it is there, nothing is asked at all.
    const auto again = home.run(pull(url, digest));
    CHECK(again.code == 0);
    CHECK(contains(again.out, "was there already"));
    CHECK(server.log().size() == 1);
  }
  SUBCASE("another one is given: that is not these bytes") {
    const auto other = home.run(pull(url, std::string(128, '0')));
    CHECK(other.code == 1);
    CHECK(contains(other.err, "another digest"));
    CHECK(contains(other.err, digest));
    CHECK(image_files(home).empty());
  }
  SUBCASE("taken as it is, that is remembered") {
    const auto taken = home.run({"image", "pull", url, "--format", "raw", "--insecure-no-digest"});
    CHECK(taken.code == 0);
    CHECK(contains(taken.out, digest));
    CHECK(server.log().size() == 1);
    const auto listed = json::parse(home.run({"image", "list", "--json"}).out);
    REQUIRE(listed.size() == 1);
    CHECK(listed[0].at("verified") == false);
    CHECK(listed[0].at("digest") == digest);
    CHECK(contains(home.run({"image", "list"}).out, "(no digest)"));
  }
}

TEST_CASE("pull: SHA-256 and capitals will do") {
  const Server server;
  const Home home;
  server.put("f.raw", test::noise(70'000));
  auto digest = test::digest_of(server.file("f.raw"), "sha256sum");
  for (char& digit : digest) digit = static_cast<char>(std::toupper(digit));
  const auto result =
      home.run({"image", "pull", server.url("plain/f.raw"), "--sha256", digest, "--json"});
  INFO(result.err);
  REQUIRE(result.code == 0);
  const auto told = json::parse(result.out);
  CHECK(told.at("algorithm") == "sha256");
  CHECK(told.at("format") == "qcow2");
  CHECK(told.at("was_there") == false);
  CHECK(told.at("file") == only_image(home));
}

TEST_CASE("pull: two at once download it once, and the second says that it waited for nothing") {
  const Server server;
  const Home home;
  const auto bytes = test::noise(3'000'000);
  const auto words = pull(server.url("slow/f.raw?rate=3000000"), server.put("f.raw", bytes));
  const auto first = home.start(words);
  REQUIRE(test::eventually([&] { return !server.log().empty(); }));
  const auto second = home.run(words);
  const auto end = qlaunch::reap(first, std::chrono::steady_clock::now() + std::chrono::minutes(1));
  CHECK(end == 0);
  CHECK(second.code == 0);
  CHECK(contains(second.out, "was there already"));
  CHECK(server.log().size() == 1);
  CHECK(qlaunch::read_file(only_image(home)) == bytes);
}

TEST_CASE("pull: files of this host go the same way") {
  const Server server;
  const Home home;
  const auto digest = server.put("f #1.raw", test::noise(100'000));
  SUBCASE("by path") {
    CHECK(home.run(pull(server.file("f #1.raw"), digest)).code == 0);
    CHECK(test::digest_of(only_image(home)) == digest);
  }
  SUBCASE("by URL") {
    const auto file = fs::path(server.file("x")).parent_path().string();
    CHECK(home.run(pull("file://" + file + "/f%20%231.raw", digest)).code == 0);
    CHECK(test::digest_of(only_image(home)) == digest);
  }
  SUBCASE("what is none is told") {
    const auto folder = fs::path(server.file("x")).parent_path().string();
    CHECK(contains(home.run(pull(folder, digest)).err, "is a folder"));
    CHECK(contains(home.run(pull("/nothing/here.raw", digest)).err, "No such file"));
    CHECK(contains(home.run(pull("file:///dev/zero", digest)).err, "is no file"));
    CHECK(image_files(home).empty());
  }
}

TEST_CASE("pull: a proxy is used") {
  const Server server;
  Home home;
  home.environment = {"http_proxy=http://127.0.0.1:" + std::to_string(server.port())};
  const auto digest = server.put("f.raw", test::noise(100'000));
  const auto result = home.run(pull("http://images.invalid/plain/f.raw", digest));
  INFO(result.err);
  CHECK(result.code == 0);
  REQUIRE(server.log().size() == 1);
  CHECK(server.log()[0].at("host") == "images.invalid");
  home.environment.emplace_back("no_proxy=images.invalid");
  fs::remove(only_image(home));
  const auto direct = home.run(pull("http://images.invalid/plain/f.raw", digest));
  CHECK(direct.code == 1);
  CHECK(contains(direct.err, "`images.invalid` is not known"));
}

TEST_CASE("pull: https, with a certificate that is trusted or not") {
  Home home;
  const auto both = home.file("both.pem");
  const auto made = qlaunch::run_and_capture(
      {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
       "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
       "-keyout", both, "-out", home.file("cert.pem")});
  INFO(made.err);
  REQUIRE(made.ok());
  std::ofstream(both, std::ios::app) << qlaunch::read_file(home.file("cert.pem"));
  fs::permissions(home.file("cert.pem"), fs::perms{0644});
  const Server server(both);
  const auto digest = server.put("f.raw", test::noise(100'000));
  const auto refused = home.run(pull(server.url("plain/f.raw"), digest));
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "certificate of `127.0.0.1` is not trusted"));
  CHECK(contains(refused.err, "CURL_CA_BUNDLE"));
  CHECK(image_files(home).empty());
  home.environment = {"CURL_CA_BUNDLE=" + home.file("cert.pem")};
  const auto trusted = home.run(pull(server.url("plain/f.raw"), digest));
  INFO(trusted.err);
  CHECK(trusted.code == 0);
}

TEST_CASE("pull: the images of a profile, those for this architecture") {
  const Server server;
  const Home home;
  const auto digest = server.put("f.raw", test::noise(100'000));
  const auto image = [&](const std::string& name, const std::string& arch,
                         const std::string& path) {
    return "[[image]]\nname = \"" + name + "\"\narch = \"" + arch +
           "\"\nformat = \"raw\"\nurl = \"" + server.url(path) + "\"\nsha512 = \"" + digest +
           "\"\n";
  };
  home.write("two.toml", image("a", "aarch64", "plain/other.raw") +
                             image("a", "x86_64", "plain/f.raw") + "[[disk]]\nimage = \"a\"\n");
  const auto result = home.run({"image", "pull", "two.toml"});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(contains(result.out, "a: downloaded, sha512:"));
  CHECK(server.log().size() == 1);
  home.write("arm.toml", image("a", "aarch64", "plain/f.raw"));
  const auto arm = home.run({"image", "pull", "arm.toml"});
  CHECK(arm.code == 2);
  CHECK(contains(arm.err, "for `aarch64` only"));
  home.write("none.toml", "[[image]]\nname = \"a\"\nurl = \"" + server.url("plain/f.raw") + "\"\n");
  const auto none = home.run({"image", "pull", "none.toml"});
  CHECK(none.code == 2);
  CHECK(contains(none.err, "no digest"));
  CHECK(contains(none.err, "qlaunch image pull URL"));
}

TEST_CASE("pull: without its helper it says what is missing, and all else works") {
  const Home home;
  fs::copy_file(test::binary(), home.file("qlaunch"));
  fs::permissions(home.file("qlaunch"), fs::perms{0755});
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.begin(), home.file("qlaunch"));
    return qlaunch::run_and_capture(home.program(words), std::chrono::minutes(1), 1 << 20);
  };
  const auto result = run(pull("http://127.0.0.1:1/x", std::string(128, '0')));
  CHECK(WEXITSTATUS(result.status) == 1);
  CHECK(contains(result.err, "`qlaunch-fetch`"));
  CHECK(contains(result.err, "meson install"));
  CHECK(image_files(home).empty());
  CHECK(run({"image", "list"}).ok());
}
