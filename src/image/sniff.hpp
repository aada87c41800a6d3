// SPDX-License-Identifier: MIT
// What downloaded bytes are, by their first ones, and whether a disk image would lead QEMU to other
// files of this host. Reads no file and trusts no name.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

enum class Packing { none, gzip, bzip2, xz, zstd };
enum class ImageKind { raw, qcow2, vmdk, vdi };

struct Sniffed {
  Packing packing = Packing::none;
  ImageKind kind = ImageKind::raw;  // of what is not packed
  std::string refusal;              // why it cannot be a disk image: "it is a web page"
};

/// How many bytes from the start decide.
constexpr std::size_t sniff_size = 512;
/// How many bytes from the start say what else QEMU would open.
constexpr std::size_t image_header_size = std::size_t{1} << 16;

/// `first`: the first sniff_size bytes, or all where there are fewer. `content_type`: what a server
/// has called it, believed only where the bytes are no image that is known.
Sniffed sniff(std::string_view first, std::string_view content_type = {});

/// Why an image of this kind must not be opened: it names another file, or is of a form that QEMU
/// cannot use by itself. `header`: its first image_header_size bytes, or all where there are fewer.
std::optional<std::string> image_danger(ImageKind kind, std::string_view header);

/// "xz"; empty for none.
std::string_view packing_word(Packing packing);
/// QEMU's name of the format: "vmdk".
std::string_view kind_word(ImageKind kind);

}  // namespace qlaunch
