// SPDX-License-Identifier: MIT
#include "seed/iso.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>

#include <archive.h>
#include <archive_entry.h>

#include <time.h>

namespace qlaunch::seed {
namespace {

// What everything in a volume bears, so that the same files give the same bytes.
constexpr time_t fixed_time = 1577836800;  // 2020-01-01

struct FreeWriter {
  void operator()(archive* writer) const { archive_write_free(writer); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

[[noreturn]] void fail(archive* writer) {
  const auto* why = archive_error_string(writer);
  throw IsoError(why == nullptr ? "the volume cannot be made" : why);
}

void check(archive* writer, la_ssize_t result) {
  if (result < ARCHIVE_OK) fail(writer);
}

la_ssize_t append(archive* writer, void* out, const void* bytes, std::size_t count) {
  (void)writer;
  static_cast<std::string*>(out)->append(static_cast<const char*>(bytes), count);
  return static_cast<la_ssize_t>(count);
}

void option(archive* writer, const char* key, const std::string& value) {
  check(writer, archive_write_set_format_option(writer, "iso9660", key, value.c_str()));
}

void add(archive* writer, const std::string& name, mode_t type, mode_t mode,
         std::string_view content) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_filetype(entry.get(), type);
  archive_entry_set_perm(entry.get(), mode);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  archive_entry_set_nlink(entry.get(), type == AE_IFDIR ? 2 : 1);
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content.size()));
  archive_entry_set_mtime(entry.get(), fixed_time, 0);
  archive_entry_set_atime(entry.get(), fixed_time, 0);
  archive_entry_set_ctime(entry.get(), fixed_time, 0);
  check(writer, archive_write_header(writer, entry.get()));
  if (content.empty()) return;
  const auto written = archive_write_data(writer, content.data(), content.size());
  if (written != static_cast<la_ssize_t>(content.size())) fail(writer);
}

}  // namespace
}  // namespace qlaunch::seed

/// libarchive asks for the time of day and notes it in two dozen places of a volume, for which it
/// has no option. This program needs no other time.
extern "C" time_t time(time_t* out) noexcept {
  if (out != nullptr) *out = qlaunch::seed::fixed_time;
  return qlaunch::seed::fixed_time;
}

namespace qlaunch::seed {

std::string iso_image(const IsoVolume& volume) {
  std::string image;
  const std::unique_ptr<archive, FreeWriter> writer(archive_write_new());
  check(writer.get(), archive_write_set_format_iso9660(writer.get()));
  option(writer.get(), "volume-id", volume.label);
  if (!volume.note.empty()) option(writer.get(), "application-id", volume.note);
  option(writer.get(), "joliet", "long");
  // Owners and modes stay as they are given.
  option(writer.get(), "rockridge", "strict");
  check(writer.get(), archive_write_set_format_option(writer.get(), "iso9660", "pad", nullptr));
  check(writer.get(), archive_write_set_bytes_per_block(writer.get(), 0));
  check(writer.get(), archive_write_open(writer.get(), &image, nullptr, append, nullptr));
  std::set<std::string> folders;
  auto files = volume.files;
  std::sort(files.begin(), files.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  for (const auto& file : files) {
    for (auto slash = file.name.find('/'); slash != std::string::npos;
         slash = file.name.find('/', slash + 1)) {
      const auto folder = file.name.substr(0, slash);
      if (folders.insert(folder).second) add(writer.get(), folder, AE_IFDIR, 0700, {});
    }
    add(writer.get(), file.name, AE_IFREG, file.executable ? 0700 : 0600, file.content);
  }
  check(writer.get(), archive_write_close(writer.get()));
  // The standard knows no small letters, and so Joliet alone would have them; but everybody looks
  // for the label as it is written.
  constexpr std::size_t label_at = 16 * 2048 + 40;
  constexpr std::size_t label_size = 32;
  if (volume.label.size() <= label_size && image.size() > label_at + label_size)
    image.replace(label_at, volume.label.size(), volume.label);
  return image;
}

}  // namespace qlaunch::seed
