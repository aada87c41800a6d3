// SPDX-License-Identifier: MIT
// A few small files as an ISO 9660 volume with Joliet and Rock Ridge. The same files give the same
// bytes at any time; reads and writes no file itself.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace qlaunch::seed {

struct IsoFile {
  std::string name;  // with folders before it, such as "provision.system/00-qlaunch"
  std::string content;
  bool executable = false;
};

struct IsoVolume {
  std::string label;
  std::string note;  // the volume's application identifier, at most 128 characters
  std::vector<IsoFile> files;
};

class IsoError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// All files belong to root, and nobody else can read them.
std::string iso_image(const IsoVolume& volume);

}  // namespace qlaunch::seed
