// SPDX-License-Identifier: MIT
#include "system/image/server.hpp"

#include "core/text.hpp"
#include "host/files.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

namespace test {

namespace fs = std::filesystem;

Server::Server(const std::string& certificate) : scheme_(certificate.empty() ? "http" : "https") {
  std::string folder = "/tmp/qlaunch-www.XXXXXX";
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  folder_ = folder;
  fs::create_directory(folder_ + "/www");
  // Tests fetch from it by file: URLs, too, as an ordinary user.
  for (const auto& each : {folder_, folder_ + "/www"}) REQUIRE(chmod(each.c_str(), 0755) == 0);
  std::array<int, 2> in{}, out{};
  REQUIRE(pipe2(in.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(out.data(), O_CLOEXEC) == 0);
  qlaunch::UniqueFd input(in[0]), output(out[0]), child_output(out[1]);
  input_.reset(in[1]);
  const char* script = std::getenv("QLAUNCH_TEST_SERVER");
  REQUIRE_MESSAGE(script != nullptr, "QLAUNCH_TEST_SERVER names http_server.py");
  qlaunch::SpawnOptions options;
  options.argv = {"python3", script, folder_ + "/www"};
  if (!certificate.empty()) options.argv.push_back(certificate);
  options.descriptors = {{0, input.get()}, {1, child_output.get()}};
  options.environment = {"QLAUNCH_HOME"};
  options.die_with_parent = true;
  process_ = qlaunch::spawn(options);
  child_output.reset();
  std::string line;
  std::array<char, 64> bytes{};
  while (line.find('\n') == std::string::npos) {
    const auto count = read(output.get(), bytes.data(), bytes.size());
    REQUIRE_MESSAGE(count > 0, "the web server does not start");
    line.append(bytes.data(), static_cast<std::size_t>(count));
  }
  port_ = std::atoi(line.c_str());
}

Server::~Server() {
  input_.reset();
  qlaunch::kill_and_reap(process_);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string Server::url(const std::string& path) const {
  return scheme_ + "://127.0.0.1:" + std::to_string(port_) + '/' + path;
}

std::string Server::put(const std::string& name, const std::string& bytes) const {
  std::ofstream(file(name), std::ios::binary) << bytes;
  REQUIRE(chmod(file(name).c_str(), 0644) == 0);
  return digest_of(file(name));
}

std::vector<nlohmann::json> Server::log() const {
  std::vector<nlohmann::json> out;
  const auto text = qlaunch::try_read_file(folder_ + "/www.log").value_or("");
  for (const auto& line : qlaunch::split(text, '\n')) {
    if (!line.empty()) out.push_back(nlohmann::json::parse(line));
  }
  return out;
}

std::vector<std::string> pull(const std::string& url, const std::string& digest) {
  return {"image", "pull", url, "--sha512", digest, "--format", "raw"};
}

std::string noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(random());
  bytes[0] = '\x01';
  return bytes;
}

std::string digest_of(const std::string& path, const std::string& program) {
  const auto output = qlaunch::run_and_capture({program, "--", path});
  REQUIRE(output.ok());
  return output.out.substr(0, output.out.find(' '));
}

std::vector<std::string> image_files(const Home& home) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(home.path() + "/cache/images", ignored))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

std::string only_image(const Home& home) {
  const auto names = image_files(home);
  INFO("files: " << qlaunch::join(names, " "));
  REQUIRE(names.size() == 2);
  REQUIRE(names[1] == names[0] + ".json");
  return home.path() + "/cache/images/" + names[0];
}

void python(const std::string& code, const std::vector<std::string>& words) {
  std::vector<std::string> argv{"python3", "-c", code};
  argv.insert(argv.end(), words.begin(), words.end());
  const auto output = qlaunch::run_and_capture(argv, std::chrono::minutes(1));
  INFO(output.err);
  REQUIRE(output.ok());
}

void qemu_img(std::vector<std::string> words) {
  words.insert(words.begin(), "qemu-img");
  const auto output = qlaunch::run_and_capture(words, std::chrono::minutes(1));
  INFO(output.err);
  REQUIRE(output.ok());
}

}  // namespace test
