// SPDX-License-Identifier: MIT
// A digest of bytes as they come, by OpenSSL. Reads no file but in digest_file().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

struct evp_md_ctx_st;

namespace qlaunch::fetch {

class Digest {
 public:
  /// "sha512" or "sha256". Throws std::runtime_error where OpenSSL has no such thing.
  explicit Digest(const std::string& algorithm);

  void add(const void* bytes, std::size_t count);
  /// In hexadecimal; the next one starts anew.
  std::string finish();
  void restart();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::string algorithm_;
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

/// Adds the first `count` bytes of the file, telling how far it is now and then. Throws where there
/// are fewer.
void digest_file(Digest& digest, int fd, std::uint64_t count,
                 const std::function<void(std::uint64_t)>& told);

}  // namespace qlaunch::fetch
