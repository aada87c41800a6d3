// SPDX-License-Identifier: MIT
// A web server on loopback for one test, tests/support/http_server.py, and what the tests of
// downloads have in common.
#pragma once

#include "support/run.hpp"

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace test {

class Server {
 public:
  /// With a file of certificate and key it speaks TLS.
  explicit Server(const std::string& certificate = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// "http://127.0.0.1:PORT/PATH"
  std::string url(const std::string& path) const;
  int port() const { return port_; }
  /// Puts a file there; returns its SHA-512.
  std::string put(const std::string& name, const std::string& bytes) const;
  std::string file(const std::string& name) const { return folder_ + "/www/" + name; }
  /// What was asked for, in order.
  std::vector<nlohmann::json> log() const;

 private:
  std::string folder_;
  std::string scheme_;
  qlaunch::Child process_;
  qlaunch::UniqueFd input_;
  int port_ = 0;
};

/// The words that fetch a raw image and keep it as it is.
std::vector<std::string> pull(const std::string& url, const std::string& digest);

/// Bytes that no packer makes smaller and that are no text; always the same.
std::string noise(std::size_t size, unsigned seed = 1);

/// "sha512sum", "sha256sum".
std::string digest_of(const std::string& path, const std::string& program = "sha512sum");

/// The names in the home's folder of images, sorted.
std::vector<std::string> image_files(const Home& home);
/// The only image there.
std::string only_image(const Home& home);

/// `python3 -c CODE WORDS…`, for what Python packs.
void python(const std::string& code, const std::vector<std::string>& words);
void qemu_img(std::vector<std::string> words);

}  // namespace test
