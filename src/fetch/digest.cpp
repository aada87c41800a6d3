// SPDX-License-Identifier: MIT
#include "fetch/digest.hpp"

#include "fetch/output.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <vector>

#include <openssl/evp.h>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch::fetch {

void Digest::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

Digest::Digest(const std::string& algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  restart();
}

void Digest::restart() {
  const auto* kind = EVP_get_digestbyname(algorithm_.c_str());
  if (kind == nullptr || !context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1)
    throw Failure("OpenSSL has no digest `" + algorithm_ + "`");
}

void Digest::add(const void* bytes, std::size_t count) {
  if (EVP_DigestUpdate(context_.get(), bytes, count) != 1) throw Failure("OpenSSL takes no bytes");
}

std::string Digest::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned int count = 0;
  if (EVP_DigestFinal_ex(context_.get(), bytes.data(), &count) != 1)
    throw Failure("OpenSSL gives no digest");
  restart();
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned int index = 0; index < count; ++index) {
    text += digits[bytes[index] >> 4U];
    text += digits[bytes[index] & 15U];
  }
  return text;
}

void digest_file(Digest& digest, int fd, std::uint64_t count,
                 const std::function<void(std::uint64_t)>& told) {
  posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<char> buffer(std::size_t{1} << 18);
  for (std::uint64_t done = 0; done < count;) {
    const auto want = std::min<std::uint64_t>(buffer.size(), count - done);
    const auto got =
        pread(fd, buffer.data(), static_cast<std::size_t>(want), static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Failure("cannot read the file: " + errno_text(errno));
    if (got == 0) throw Failure("the file became shorter while it was read");
    digest.add(buffer.data(), static_cast<std::size_t>(got));
    done += static_cast<std::uint64_t>(got);
    told(done);
  }
}

}  // namespace qlaunch::fetch
