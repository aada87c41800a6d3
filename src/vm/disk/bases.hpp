// SPDX-License-Identifier: MIT
// Which VMs need an image file: as a disk, or below an overlay. What goes away (`remove`, `image
// prune`) asks here first. Knows no overlays that belong to no VM.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace qlaunch {

struct ImageNeed {
  std::string vm;
  std::string disk;     // as the VM's profile calls it; empty: a file that no plan names
  std::string overlay;  // what lies on the image; empty: the image is the VM's disk itself
  bool direct = true;   // nothing between the two

  bool operator==(const ImageNeed&) const = default;
};

/// All VMs' disks and what they lie on, as it was when this was made. Reads headers only.
class ImageNeeds {
 public:
  ImageNeeds();

  /// Who needs this very file, by whatever path; sorted by VM.
  std::vector<ImageNeed> of(const std::string& path) const;

 private:
  struct File {
    std::string path;
    unsigned long long device = 0, inode = 0;  // 0: not there
    ImageNeed need;
  };
  static File file_at(const std::string& path);
  void add(const std::string& path, const ImageNeed& need);
  void add_chain(const std::string& path, bool overlay, const ImageNeed& need);
  void add_vm(const std::string& name);

  std::vector<File> files_;
};

/// "VM `web` (disk `root`)" for each VM once.
std::string describe_needs(const std::vector<ImageNeed>& needs);

/// What an overlay lies on, absolute; empty: nothing, or `path` is no qcow2 file.
std::string base_of(const std::string& path);

}  // namespace qlaunch
