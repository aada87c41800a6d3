// SPDX-License-Identifier: MIT
#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "profile/check.hpp"
#include "profile/expand.hpp"

#include <algorithm>
#include <map>

namespace qlaunch {
namespace {

void check_cdrom(Checker& checker, const Disk& disk, const std::string& at) {
  for (const std::string key : {"size", "base", "ephemeral"}) {
    if (checker.is_set(at + '.' + key))
      checker.error(at + '.' + key, "a CD-ROM has no " + in_backticks(key),
                    "name the ISO image in `file`, and leave " + in_backticks(key) + " out");
  }
  if (disk.bus == DiskBus::virtio || disk.bus == DiskBus::nvme)
    checker.error(at + ".bus", "there is no CD-ROM drive for this bus",
                  "use bus = \"sata\", \"scsi\" or \"usb\"");
  if (!disk.readonly)
    checker.error(at + ".readonly", "a CD-ROM cannot be written", "leave `readonly` out");
  if (!disk.file.empty() && !disk.image.empty())
    checker.clash(at + ".image", "a CD-ROM shows one thing, `file` or `image`", at + ".file",
                  "the file", "remove one of the two");
}

void check_reference(Checker& checker, const Disk& disk, const std::string& at) {
  const auto& images = checker.profile().images;
  if (disk.image.empty() || disk.image.starts_with('/')) return;
  if (is_builtin_image(disk.image)) {
    if (disk.image != "builtin:hello")
      checker.error(at + ".image", "there is no built-in image " + in_backticks(disk.image),
                    "there is one: \"builtin:hello\"");
    return;
  }
  if (is_url(disk.image)) {
    checker.error(at + ".image", "an image by URL needs its digest",
                  "write an [[image]] with name, url and sha512, and its name here");
    return;
  }
  std::vector<std::string> names;
  for (const auto& image : images) {
    if (image.name == disk.image) return;
    names.push_back(image.name);
  }
  std::string help = "a file of this name is written \"./" + disk.image + '"';
  if (const auto near = nearest(disk.image, names))
    help = "did you mean " + in_backticks(*near) + '?';
  else if (names.empty())
    help = "there is no [[image]] at all; " + help;
  checker.error(at + ".image", "there is no [[image]] named " + in_backticks(disk.image), help);
}

void check_disk(Checker& checker, const Disk& disk, const std::string& at) {
  const auto quoted = in_backticks(disk.name);
  if (checker.is_set(at + ".base") && checker.is_set(at + ".image"))
    checker.clash(at + ".image", "a disk is an overlay on one thing, `base` or `image`",
                  at + ".base", "the other one", "remove one of the two");
  const bool overlay = checker.is_set(at + ".base") || checker.is_set(at + ".image");
  if (overlay && disk.format == DiskFormat::raw)
    checker.error(at + ".format", "a raw disk cannot be an overlay",
                  "write format = \"qcow2\": it is the format of this disk, not of what it is on");
  if (!disk.file.empty() && disk.file == disk.base)
    checker.clash(at + ".base", "disk " + quoted + " is an overlay on itself", at + ".file",
                  "its own file", "name two different files");
  if (disk.ephemeral && disk.readonly)
    checker.clash(at + ".ephemeral",
                  "nothing is written to a read-only disk, so nothing can be "
                  "thrown away",
                  at + ".readonly", "read-only here", "remove one of the two");
  if (!overlay && !checker.is_set(at + ".file") && !checker.is_set(at + ".size"))
    checker.error(at, "nothing says what disk " + quoted + " is",
                  "add `size` to make an empty one, `image` or `base` for one with content, or "
                  "`file` for one that exists");
  if (disk.readonly && !overlay && disk.file.empty() && checker.is_set(at + ".size"))
    checker.error(at + ".readonly", "disk " + quoted + " would be empty for ever",
                  "name its `file`, or leave `readonly` out");
  if (disk.aio == DiskAio::native && disk.cache != DiskCache::none &&
      disk.cache != DiskCache::directsync)
    checker.error(at + ".aio", "aio = \"native\" needs a disk that the host does not cache",
                  "add cache = \"none\"");
}

void check_serial(Checker& checker, const Disk& disk, const std::string& at) {
  const auto most = longest_serial(disk.bus);
  if (disk.serial.size() > most)
    checker.error(at + ".serial",
                  "the serial number is " + std::to_string(disk.serial.size()) + " characters long",
                  "this bus has room for " + std::to_string(most));
}

}  // namespace

void check_disks(Checker& checker) {
  const auto& disks = checker.profile().disks;
  std::map<std::string, std::size_t> names;
  std::map<std::string, std::size_t> files;
  for (std::size_t index = 0; index < disks.size(); ++index) {
    const auto& disk = disks[index];
    const auto at = indexed("disk", index);
    if (const auto [first, fresh] = names.emplace(disk.name, index); !fresh && !disk.name.empty())
      checker.clash(at + ".name", "two disks are named " + in_backticks(disk.name),
                    indexed("disk", first->second) + ".name", "first here",
                    "give one of them another name");
    if (!disk.file.empty() && !disk.readonly) {
      if (const auto [first, fresh] = files.emplace(disk.file, index); !fresh)
        checker.clash(at + ".file",
                      "disks " + in_backticks(disks[first->second].name) + " and " +
                          in_backticks(disk.name) + " write to the same file",
                      indexed("disk", first->second) + ".file", "first here",
                      "give each a file of its own, or make both readonly");
    }
    if (disk.media == DiskMedia::cdrom) {
      check_cdrom(checker, disk, at);
    } else {
      check_disk(checker, disk, at);
    }
    check_reference(checker, disk, at);
    check_serial(checker, disk, at);
  }
}

void check_images(Checker& checker) {
  const auto& images = checker.profile().images;
  std::map<std::pair<std::string, std::string>, std::size_t> names;
  for (std::size_t index = 0; index < images.size(); ++index) {
    const auto& image = images[index];
    const auto at = indexed("image", index);
    const auto [first, fresh] = names.emplace(std::pair(image.name, image.arch), index);
    if (!fresh && !image.name.empty())
      checker.clash(at + ".name",
                    "two images are named " + in_backticks(image.name) + " for " + image.arch,
                    indexed("image", first->second) + ".name", "first here",
                    "give one of them another name or arch");
    const bool long_digest = checker.is_set(at + ".sha512");
    const bool short_digest = checker.is_set(at + ".sha256");
    if (!long_digest && !short_digest)
      checker.error(at, "image " + in_backticks(image.name) + " has no digest",
                    "add sha512 = \"…\", as its publisher gives it; where there is none, `qlaunch "
                    "image pull URL` prints that of what is there now");
    if (long_digest && short_digest)
      checker.clash(at + ".sha256", "one digest is enough", at + ".sha512", "the other one",
                    "keep `sha512`");
  }
}

}  // namespace qlaunch
