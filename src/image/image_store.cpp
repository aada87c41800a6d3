// SPDX-License-Identifier: MIT
#include "image/image_store.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "image/fetch_helper.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

namespace fs = std::filesystem;

constexpr mode_t image_mode = 0400;
constexpr std::int64_t in_a_second = 1'000'000'000;
constexpr std::uint64_t block = 512;  // of st_blocks

struct FileState {
  std::uint64_t size = 0, allocated = 0;
  std::int64_t changed = 0;
};

FileState state_of(const struct stat& status) {
  return {static_cast<std::uint64_t>(status.st_size),
          static_cast<std::uint64_t>(status.st_blocks) * block,
          status.st_mtim.tv_sec * in_a_second + status.st_mtim.tv_nsec};
}

std::optional<FileState> look_at(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return state_of(status);
}

std::int64_t changed_time(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) throw system_error("cannot look at a new image", errno);
  return state_of(status).changed;
}

bool lock_file(int fd, int how) {
  while (flock(fd, how) != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

std::string record_path(const std::string& image) {
  return image + std::string(record_ending);
}

std::optional<ImageRecord> read_record_of(const std::string& image) {
  const auto text = try_read_file(record_path(image));
  return text ? parse_image_record(*text) : std::nullopt;
}

template <class Take>
void each_file(const std::string& folder, const Take& take) {
  std::error_code none;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, none))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  for (const auto& name : names) take(name);
}

std::string digest_of(const std::string& path, const std::string& algorithm,
                      const ImageWatch& watch) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw system_error("cannot read " + in_backticks(path), errno);
  FetchJob job;
  job.kind = FetchJob::Kind::digest;
  job.algorithm = algorithm;
  const auto last = run_fetch(
      job, {file.get(), -1},
      [&](const FetchEvent& event) { watch.progress(event.have, event.total.value_or(0)); },
      watch.interrupted);
  if (last.kind != FetchEvent::Kind::done)
    throw Error("cannot read " + in_backticks(path) + ": " + last.text);
  return last.digest;
}

}  // namespace

std::vector<StoredImage> ImageStore::images() const {
  std::vector<StoredImage> out;
  each_file(folder_, [&](const std::string& file) {
    const auto name = parse_image_name(file);
    const auto path = folder_ + '/' + file;
    const auto state = name ? look_at(path) : std::nullopt;
    if (state) out.push_back({*name, path, state->size, state->allocated, read_record_of(path)});
  });
  return out;
}

std::vector<StoredPart> ImageStore::parts() const {
  std::vector<StoredPart> out;
  each_file(folder_, [&](const std::string& file) {
    if (!file.starts_with(download_prefix) || !file.ends_with(part_ending)) return;
    const auto path = folder_ + '/' + file;
    const auto stem = path.substr(0, path.size() - part_ending.size());
    if (const auto state = look_at(path))
      out.push_back({stem, path, state->size, state->allocated, look_at_part(stem).state});
  });
  return out;
}

ImageStore::State ImageStore::look(const ImageName& name, const ImageWatch& watch) const {
  const auto state = look_at(path(name));
  if (!state) return State::missing;
  const auto record = read_record_of(path(name));
  if (record && record->changed == state->changed && record->stored == state->size)
    return State::good;
  return verify(name, watch);
}

ImageStore::State ImageStore::verify(const ImageName& name, const ImageWatch& watch) const {
  const auto file = path(name);
  const auto before = look_at(file);
  if (!before) return State::missing;
  auto record = read_record_of(file);
  // Brought here by hand, perhaps: then it has to be the very file that was to be downloaded.
  const bool fresh = !record;
  if (fresh) {
    record.emplace();
    record->digest = name.digest;
    record->downloaded = record->stored = before->size;
    record->how = "put there by hand";
    record->verified = true;
  }
  const bool good = digest_of(file, name.algorithm, watch) == record->digest;
  const auto changed = good ? before->changed : 0;
  if (fresh ? good : record->changed != changed) {
    record->changed = changed;
    const auto held = lock();
    if (look_at(file)) write_record(name, *record);
  }
  return good ? State::good : State::altered;
}

UniqueFd ImageStore::lock() const {
  UniqueFd folder(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || !lock_file(folder.get(), LOCK_EX))
    throw system_error("cannot lock " + in_backticks(folder_), errno);
  return folder;
}

void ImageStore::write_record(const ImageName& name, const ImageRecord& record) const {
  write_file_atomic(record_path(path(name)), to_json(record));
}

void ImageStore::keep(const ImageName& name, ImageRecord record, Part& part) const {
  record.changed = changed_time(part.fd());
  const auto held = lock();
  // An image without a record is no image, a record without an image only a small file.
  write_record(name, record);
  part.become(path(name));
  // Only a hint to others who would write to it; a part has to stay writable.
  fchmod(part.fd(), image_mode);
}

void ImageStore::keep(const ImageName& name, ImageRecord record, FreshFile& file) const {
  record.changed = changed_time(file.fd());
  const auto held = lock();
  write_record(name, record);
  file.become(path(name));
  fchmod(file.fd(), image_mode);
}

bool ImageStore::remove(const StoredImage& image, const std::function<bool()>& needed) const {
  const auto held = lock();
  const UniqueFd file(open(image.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file && !lock_file(file.get(), LOCK_EX | LOCK_NB)) return false;
  if (needed()) return false;
  if (unlink(image.path.c_str()) != 0 && errno != ENOENT)
    throw system_error("cannot remove " + in_backticks(image.path), errno);
  unlink(record_path(image.path).c_str());
  return true;
}

bool ImageStore::remove(const StoredPart& part) const {
  auto taken = Part::take(part.stem);
  if (!taken) return false;
  taken->remove();
  return true;
}

void ImageStore::tidy() const {
  if (!look_at(folder_)) return;
  const auto held = lock();
  each_file(folder_, [&](const std::string& file) {
    const auto file_path = folder_ + '/' + file;
    for (const auto ending : {record_ending, fresh_ending}) {
      if (!file.ends_with(ending)) continue;
      const auto stem = file_path.substr(0, file_path.size() - ending.size());
      const auto owner = file.starts_with(download_prefix) ? stem + std::string(part_ending) : stem;
      if (!look_at(owner)) unlink(file_path.c_str());
    }
  });
}

FreshFile::FreshFile(const std::string& stem) {
  const auto folder = fs::path(stem).parent_path().string();
  file_.reset(open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file_) return;
  // Some network file systems have none. Whoever has the part has this one too.
  path_ = stem + std::string(fresh_ending);
  file_.reset(open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_) throw system_error("cannot make " + in_backticks(path_), errno);
}

FreshFile::~FreshFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

void FreshFile::become(const std::string& path) {
  if (!path_.empty()) {
    if (rename(path_.c_str(), path.c_str()) != 0)
      throw system_error("cannot move " + in_backticks(path_) + " to " + in_backticks(path), errno);
    path_.clear();
    return;
  }
  const auto self = "/proc/self/fd/" + std::to_string(fd());
  // A link never replaces: what is there is one that was altered.
  unlink(path.c_str());
  if (linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0)
    throw system_error("cannot make " + in_backticks(path), errno);
}

std::optional<UniqueFd> hold_image(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file || !lock_file(file.get(), LOCK_SH)) return std::nullopt;
  struct stat open_one {
  }, named{};
  if (fstat(file.get(), &open_one) != 0 || stat(path.c_str(), &named) != 0 ||
      open_one.st_ino != named.st_ino)
    return std::nullopt;
  return file;
}

}  // namespace qlaunch
