// SPDX-License-Identifier: MIT
#include "core/units.hpp"
#include "fetch/digest.hpp"
#include "fetch/jobs.hpp"
#include "fetch/output.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include <archive.h>
#include <archive_entry.h>

#include <sys/resource.h>
#include <unistd.h>

namespace qlaunch::fetch {
namespace {

constexpr std::size_t read_size = std::size_t{1} << 17;
/// Zeros as long as this, at a multiple of it, become a hole.
constexpr std::size_t hole = 4096;

/// A packed file says itself how much it takes.
constexpr std::uint64_t most_memory = gib;

void limit_memory() {
#ifndef __SANITIZE_ADDRESS__
  const rlimit limit{most_memory, most_memory};
  setrlimit(RLIMIT_DATA, &limit);
#endif
}

struct FreeArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

bool all_zero(std::string_view bytes) {
  // Each byte is the one before it, and the first is zero.
  return bytes.front() == '\0' &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

int allow(archive* reader, Packing packing) {
  switch (packing) {
    case Packing::gzip:
      return archive_read_support_filter_gzip(reader);
    case Packing::bzip2:
      return archive_read_support_filter_bzip2(reader);
    case Packing::xz:
      return archive_read_support_filter_xz(reader);
    case Packing::zstd:
      return archive_read_support_filter_zstd(reader);
    case Packing::none:
      break;
  }
  return ARCHIVE_FATAL;
}

[[noreturn]] void damaged(archive* reader, Packing packing) {
  if (archive_errno(reader) == ENOMEM)
    throw Failure("it takes more than " + format_size(most_memory) + " of memory to unpack", true);
  const auto* why = archive_error_string(reader);
  throw Failure("it cannot be unpacked as " + std::string(packing_word(packing)) +
                    ": it is damaged or cut off" +
                    (why == nullptr ? "" : " (" + std::string(why) + ')'),
                true);
}

/// Writes what is not zeros.
void write_sparse(int fd, std::string_view bytes, std::uint64_t offset) {
  std::size_t begin = 0;  // of what is not written yet
  for (std::size_t at = 0; at < bytes.size();) {
    const auto to_edge = hole - static_cast<std::size_t>((offset + at) % hole);
    const auto piece = bytes.substr(at, to_edge);
    if (piece.size() == hole && all_zero(piece)) {
      write_at(fd, bytes.substr(begin, at - begin), offset + begin);
      begin = at + piece.size();
    }
    at += piece.size();
  }
  write_at(fd, bytes.substr(begin), offset + begin);
}

}  // namespace

FetchEvent unpack(const FetchJob& job) {
  limit_memory();
  const std::unique_ptr<archive, FreeArchive> reader(archive_read_new());
  auto* const source = reader.get();
  const auto packed = size_of(part_fd);
  if (source == nullptr || allow(source, job.packing) == ARCHIVE_FATAL ||
      archive_read_support_format_raw(source) != ARCHIVE_OK ||
      archive_read_support_format_empty(source) != ARCHIVE_OK)
    throw Failure("this libarchive cannot unpack " + std::string(packing_word(job.packing)));
  if (lseek(part_fd, 0, SEEK_SET) != 0) throw Failure("cannot read the file: " + errno_text(errno));
  archive_entry* entry = nullptr;
  if (archive_read_open_fd(source, part_fd, read_size) != ARCHIVE_OK) damaged(source, job.packing);
  const int begun = archive_read_next_header(source, &entry);
  if (begun == ARCHIVE_EOF) throw Failure("what is packed in it: it is empty", true);
  if (begun != ARCHIVE_OK) damaged(source, job.packing);
  // A packed file in a packed file is a trap more often than an image. The last filter is the file.
  if (archive_filter_count(source) > 2) throw Failure("it is packed more than once", true);

  Digest digest(job.algorithm);
  Teller teller;
  std::uint64_t size = 0;
  std::uint64_t checked = 0;
  for (;;) {
    const void* block = nullptr;
    std::size_t count = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(source, &block, &count, &offset);
    if (result == ARCHIVE_EOF) break;
    if (result == ARCHIVE_RETRY) continue;
    if (result != ARCHIVE_OK || static_cast<std::uint64_t>(offset) != size)
      damaged(source, job.packing);
    const std::string_view bytes(static_cast<const char*>(block), count);
    if (size == 0) {
      const auto found = sniff(bytes);
      if (!found.refusal.empty()) throw Failure("what is packed in it: " + found.refusal, true);
      if (found.packing != Packing::none) throw Failure("it is packed more than once", true);
    }
    if (size + count > job.limit) refuse_for_limit(job.limit);
    digest.add(block, count);
    write_sparse(second_fd, bytes, size);
    size += count;
    if (size - checked > std::uint64_t{1} << 26) {
      checked = size;
      // Room for others to go on working.
      constexpr std::uint64_t reserve = std::uint64_t{16} << 20;
      if (const auto free = free_space_of(second_fd); free < reserve)
        throw Failure("the disk is full: it unpacks to more than fits", false,
                      "`qlaunch image prune` removes images that no VM needs");
    }
    teller.at(static_cast<std::uint64_t>(std::max<la_int64_t>(archive_filter_bytes(source, -1), 0)),
              packed);
  }
  if (size == 0) throw Failure("what is packed in it: it is empty", true);
  cut(second_fd, size);
  settle(second_fd);
  FetchEvent event;
  event.kind = FetchEvent::Kind::done;
  event.have = size;
  event.digest = digest.finish();
  return event;
}

}  // namespace qlaunch::fetch
