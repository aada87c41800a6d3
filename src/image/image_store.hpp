// SPDX-License-Identifier: MIT
// The folder of downloaded images: what is in it, whether it is what it was, and how a new one
// comes in whole or not at all. Downloads nothing (see pull.hpp).
#pragma once

#include "host/files.hpp"
#include "image/image_names.hpp"
#include "image/part.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

/// What a long look at bytes is told and asks.
struct ImageWatch {
  std::function<void(std::uint64_t have, std::uint64_t total)> progress = [](auto, auto) {};
  std::function<bool()> interrupted = [] { return false; };
};

struct StoredImage {
  ImageName name;
  std::string path;
  std::uint64_t size = 0;       // of the file
  std::uint64_t allocated = 0;  // what it takes of the disk
  std::optional<ImageRecord> record;
};

/// A download that is not an image yet.
struct StoredPart {
  std::string stem, path;
  std::uint64_t size = 0, allocated = 0;
  PartState state;
};

class ImageStore {
 public:
  /// `cache`: of StateRoots. Makes nothing.
  explicit ImageStore(const std::string& cache) : folder_(images_folder(cache)) {}

  const std::string& folder() const { return folder_; }
  std::string path(const ImageName& name) const { return folder_ + '/' + file_name(name); }
  std::string stem(const std::string& url) const { return folder_ + '/' + download_stem(url); }

  std::vector<StoredImage> images() const;
  std::vector<StoredPart> parts() const;

  enum class State { missing, good, altered };
  /// By size and time where there is a record that knows them, else by its bytes.
  State look(const ImageName& name, const ImageWatch& watch) const;
  /// By its bytes, whatever the record says; remembers what it finds.
  State verify(const ImageName& name, const ImageWatch& watch) const;

  /// The part, or what came out of it, becomes the image; nobody sees half of it.
  void keep(const ImageName& name, ImageRecord record, Part& part) const;
  void keep(const ImageName& name, ImageRecord record, class FreshFile& file) const;

  /// False where a start or a download has it at this moment.
  /// False where somebody uses it. `needed` is asked when nobody can begin to any more.
  bool remove(
      const StoredImage& image, const std::function<bool()>& needed = [] { return false; }) const;
  bool remove(const StoredPart& part) const;
  /// What a command that was killed has left, other than parts.
  void tidy() const;

 private:
  /// For the moment in which files change their names.
  UniqueFd lock() const;
  void write_record(const ImageName& name, const ImageRecord& record) const;

  std::string folder_;
};

/// A file without a name, where the file system has such, until it is kept.
class FreshFile {
 public:
  /// `stem`: of the download that it belongs to.
  explicit FreshFile(const std::string& stem);
  ~FreshFile();
  FreshFile(const FreshFile&) = delete;
  FreshFile& operator=(const FreshFile&) = delete;

  int fd() const { return file_.get(); }
  void become(const std::string& path);

 private:
  UniqueFd file_;
  std::string path_;  // empty: it has none
};

/// Holds an image for a start, so that `image prune` leaves it until the VM's own files name it.
/// Nothing where it is gone.
std::optional<UniqueFd> hold_image(const std::string& path);

}  // namespace qlaunch
