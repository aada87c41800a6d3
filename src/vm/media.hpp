// SPDX-License-Identifier: MIT
// Drives of a running VM whose medium can be changed. The profile stays as it is.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace qlaunch {

struct MediaDrive {
  std::string name;    // of the disk in the profile
  std::string device;  // QEMU's id of it
  std::string file;    // empty: no medium
  std::string node;    // block node of the medium
  std::string format;  // "raw", "qcow2"
  bool tray_open = false;
  bool locked = false;  // the guest holds the tray shut
};

/// As QEMU has them now. StateError where the VM does not run.
std::vector<MediaDrive> list_media(const std::string& name);

struct MediaRequest {
  std::string drive;   // empty: the only one
  bool force = false;  // also out of a tray that the guest holds shut
};

/// Puts the file into the drive, read-only, in place of what is in it. Errors for a file that is
/// missing or cannot be read, StateError for a drive that is not there, Error for one that the
/// guest keeps shut.
MediaDrive insert_medium(const std::string& name, const MediaRequest& request,
                         const std::string& file);

/// Leaves the drive open and empty. One that is empty already is returned as it is.
MediaDrive eject_medium(const std::string& name, const MediaRequest& request);

}  // namespace qlaunch
