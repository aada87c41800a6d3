// SPDX-License-Identifier: MIT
#include "image/sniff.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace qlaunch {
namespace {

using namespace std::string_view_literals;

std::uint64_t little_endian(std::string_view bytes, std::size_t offset, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t index = length; index-- > 0;)
    value = value << 8U | static_cast<unsigned char>(bytes[offset + index]);
  return value;
}

std::uint64_t big_endian(std::string_view bytes, std::size_t offset, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t index = 0; index < length; ++index)
    value = value << 8U | static_cast<unsigned char>(bytes[offset + index]);
  return value;
}

bool has_at(std::string_view bytes, std::size_t offset, std::string_view what) {
  return bytes.size() >= offset + what.size() && bytes.substr(offset, what.size()) == what;
}

struct Mark {
  std::size_t offset;
  std::string_view bytes, refusal;
};

// What a disk image is not, or not one that can be used here.
constexpr std::array other_things{
    Mark{0, "PK\x03\x04"sv, "it is a zip archive: unpack it, and use the image in it"},
    Mark{0, "7z\xbc\xaf\x27\x1c"sv, "it is a 7z archive: unpack it, and use the image in it"},
    Mark{0, "Rar!\x1a\x07"sv, "it is a rar archive: unpack it, and use the image in it"},
    Mark{257, "ustar"sv, "it is a tar archive (as .ova is): unpack it, and use the image in it"},
    Mark{0, "\x04\x22\x4d\x18"sv, "it is packed with lz4; xz, zst, gz and bz2 are unpacked"},
    Mark{0, "LZIP"sv, "it is packed with lzip; xz, zst, gz and bz2 are unpacked"},
    Mark{0, "vhdxfile"sv, "it is a VHDX image; convert it with qemu-img first"},
    Mark{0, "conectix"sv, "it is a VHD image; convert it with qemu-img first"},
    Mark{0, "QED\0"sv, "it is a QED image; convert it with qemu-img first"},
    Mark{0, "COWD"sv, "it is a VMDK image of version 3; convert it with qemu-img first"},
    Mark{0, "# Disk DescriptorFile"sv,
         "it is the description of a VMDK image whose data is in other files"},
};

Packing packing_of(std::string_view first) {
  if (has_at(first, 0, "\x1f\x8b"sv)) return Packing::gzip;
  if (has_at(first, 0, "BZh"sv) && first.size() > 3 && first[3] >= '1' && first[3] <= '9')
    return Packing::bzip2;
  if (has_at(first, 0, "\xfd\x37zXZ\0"sv)) return Packing::xz;
  if (has_at(first, 0, "\x28\xb5\x2f\xfd"sv)) return Packing::zstd;
  return Packing::none;
}

bool is_text(std::string_view first) {
  // The last character may have been cut.
  const auto bad = first_invalid_utf8(first);
  if (bad && *bad + 4 <= first.size()) return false;
  return std::none_of(first.begin(), first.end(), [](char character) {
    const auto byte = static_cast<unsigned char>(character);
    return byte == 0x7f ||
           (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t' && byte != '\f');
  });
}

bool is_web_page(std::string_view first) {
  if (first.starts_with("\xef\xbb\xbf")) first.remove_prefix(3);
  const auto text = lower_ascii(trim(first).substr(0, sniff_size));
  for (const auto begin : {"<!doctype html"sv, "<html"sv, "<head"sv, "<body"sv, "<?xml"sv, "<!--"sv,
                           "<script"sv, "<title"sv}) {
    if (text.starts_with(begin)) return true;
  }
  return false;
}

/// QEMU's docs/interop/qcow2.txt.
std::optional<std::string> qcow2_danger(std::string_view header) {
  constexpr std::size_t version_2_header = 72;
  constexpr std::size_t version_3_header = 104;
  if (header.size() < version_2_header) return "it is too short for a qcow2 image";
  const auto version = big_endian(header, 4, 4);
  if (version < 2 || version > 3)
    return "it is qcow2 of version " + std::to_string(version) + ", which is not known";
  if (big_endian(header, 8, 8) != 0 || big_endian(header, 16, 4) != 0)
    return "it is an overlay on another file, and would let the guest read that file of this host";
  if (big_endian(header, 32, 4) != 0) return "it is encrypted";
  if (version == 2) return std::nullopt;
  if (header.size() < version_3_header) return "it is too short for a qcow2 image";
  const auto incompatible = big_endian(header, 72, 8);
  constexpr std::uint64_t corrupt = 2;
  constexpr std::uint64_t external_data = 4;
  if ((incompatible & external_data) != 0)
    return "its data is in another file, and it would let the guest read that file of this host";
  if ((incompatible & corrupt) != 0) return "it is marked as corrupt";
  return std::nullopt;
}

/// QEMU's block/vmdk.c: without a capacity in its header it goes by a list of further files, and a
/// parent is another file too.
std::optional<std::string> vmdk_danger(std::string_view header) {
  constexpr std::size_t sparse_header = 79;
  constexpr std::size_t capacity = 12;
  constexpr std::uint64_t sector = 512;
  if (header.size() < sparse_header) return "it is too short for a VMDK image";
  if (little_endian(header, capacity, 8) == 0)
    return "it is a VMDK image whose data is in other files";
  const auto description = little_endian(header, 28, 8);
  const auto length = little_endian(header, 36, 8);
  if (description > image_header_size / sector || length > image_header_size / sector ||
      (description + length) * sector > image_header_size)
    return "it is a VMDK image whose description is not where it belongs";
  if (lower_ascii(header).find("parentfilenamehint") != std::string::npos)
    return "it is an overlay on another file, and would let the guest read that file of this host";
  return std::nullopt;
}

}  // namespace

Sniffed sniff(std::string_view first, std::string_view content_type) {
  first = first.substr(0, sniff_size);
  Sniffed found;
  if (first.empty()) {
    found.refusal = "it is empty";
    return found;
  }
  for (const auto& mark : other_things) {
    if (!has_at(first, mark.offset, mark.bytes)) continue;
    found.refusal = mark.refusal;
    return found;
  }
  found.packing = packing_of(first);
  if (found.packing != Packing::none) return found;
  if (has_at(first, 0, "QFI\xfb"sv)) found.kind = ImageKind::qcow2;
  if (has_at(first, 0, "KDMV"sv)) found.kind = ImageKind::vmdk;
  if (has_at(first, 64, "\x7f\x10\xda\xbe"sv)) found.kind = ImageKind::vdi;
  if (found.kind != ImageKind::raw) return found;
  const auto type = lower_ascii(trim(content_type.substr(0, content_type.find(';'))));
  if (is_web_page(first) || type == "text/html" || type == "application/xhtml+xml")
    found.refusal = "it is a web page";
  else if (is_text(first))
    found.refusal = "it is a text";
  return found;
}

std::optional<std::string> image_danger(ImageKind kind, std::string_view header) {
  switch (kind) {
    case ImageKind::qcow2:
      return qcow2_danger(header);
    case ImageKind::vmdk:
      return vmdk_danger(header);
    case ImageKind::vdi:  // QEMU refuses one that has a parent
    case ImageKind::raw:
      break;
  }
  return std::nullopt;
}

std::string_view packing_word(Packing packing) {
  switch (packing) {
    case Packing::gzip:
      return "gz";
    case Packing::bzip2:
      return "bz2";
    case Packing::xz:
      return "xz";
    case Packing::zstd:
      return "zst";
    case Packing::none:
      break;
  }
  return {};
}

std::string_view kind_word(ImageKind kind) {
  switch (kind) {
    case ImageKind::qcow2:
      return "qcow2";
    case ImageKind::vmdk:
      return "vmdk";
    case ImageKind::vdi:
      return "vdi";
    case ImageKind::raw:
      break;
  }
  return "raw";
}

}  // namespace qlaunch
