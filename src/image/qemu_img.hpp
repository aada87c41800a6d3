// SPDX-License-Identifier: MIT
// qemu-img: what an image file is, what it lies on, whether it is whole, and running any of its
// commands with failures told in words. Does not know whose an image is (see image_locks.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// A snapshot inside a qcow2 file.
struct ImageSnapshot {
  std::string id;   // qemu-img's own number, "1"
  std::string tag;  // its name
  std::uint64_t vm_state_size = 0;
  std::int64_t date = 0;  // seconds since 1970, UTC
  std::uint32_t date_nanoseconds = 0;

  bool operator==(const ImageSnapshot&) const = default;
};

struct ImageInfo {
  std::string path;
  std::string format;                // "qcow2", "raw", "vmdk" …
  std::uint64_t virtual_size = 0;    // what the guest sees
  std::uint64_t allocated_size = 0;  // what it takes of the host's disk
  std::string backing;               // what it is an overlay on, absolute; empty: none
  std::string backing_format;        // as the overlay says; may be empty
  std::vector<ImageSnapshot> snapshots;
  bool dirty = false;      // lazy refcounts, and not closed properly
  bool corrupt = false;    // QEMU has marked it so
  bool version_2 = false;  // qcow2 of before 2014 (compat=0.10)
};

struct ImageCheck {
  std::uint64_t errors = 0;  // what kept the check from looking
  std::uint64_t corruptions = 0, leaks = 0;
  std::uint64_t corruptions_fixed = 0, leaks_fixed = 0;
  std::uint64_t cluster_size = 0;  // 0: not told

  bool whole() const { return errors == 0 && corruptions == 0; }
};

enum class ImageRepair { nothing, leaks, all };

/// What `qemu-img info` and `qemu-img check` print with --output=json. An Error where it is not
/// that.
std::vector<ImageInfo> parse_image_info(std::string_view json);
ImageCheck parse_image_check(std::string_view json);
/// The reason in what qemu-img printed on standard error, without its name and repetitions.
std::string reason_of_qemu_img(std::string_view printed);

/// How a command of qemu-img that may take long is run.
struct ImageWork {
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  /// Told how far it is, 0 to 100. The command has to be one that takes -p; it is added.
  std::function<void(double)> progress = {};
  /// Asked now and then; once true, qemu-img is killed and an Error says "interrupted".
  std::function<bool()> interrupted = {};
};

/// Paths are to be absolute: qemu-img takes a relative one with a colon for a protocol.
class QemuImg {
 public:
  /// `program`: as found beside the VM's QEMU; empty: the installed one, looked for when needed.
  explicit QemuImg(std::string program = {}) : program_(std::move(program)) {}

  /// Runs "qemu-img WORDS…"; an Error "WHAT: the reason" where it fails, with who holds `path` or
  /// how much space is left there where that is why. Returns its standard output.
  std::string run(std::vector<std::string> words, const std::string& what, const std::string& path,
                  const ImageWork& work = {}) const;

  /// Reads past the locks of whoever writes (-U), and never disturbs a QEMU that is about to start.
  /// `format`: where it is known it is said, because a guest may write anything into a raw disk.
  ImageInfo info(const std::string& path, const std::string& format = {}) const;
  /// The image first, then what it lies on, down to the last.
  std::vector<ImageInfo> chain(const std::string& path, const std::string& format = {}) const;

  /// Only while nobody else writes; throws otherwise. A format that has nothing to check (raw) is
  /// whole.
  ImageCheck check(const std::string& path, const std::string& format = {},
                   ImageRepair repair = ImageRepair::nothing, const ImageWork& work = {}) const;

  /// Absolute; an Error where there is none, with how to install it.
  const std::string& program() const;

 private:
  mutable std::string program_;
};

}  // namespace qlaunch
