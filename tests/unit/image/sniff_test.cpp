// SPDX-License-Identifier: MIT
// What downloaded bytes are, and which images would lead QEMU to other files.
#include "image/sniff.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace std::string_literals;
using namespace qlaunch;

namespace {

std::string padded(std::string bytes, std::size_t size = 1024) {
  bytes.resize(size, '\0');
  return bytes;
}

void put_big(std::string& bytes, std::size_t at, std::uint64_t value, int count) {
  for (int index = 0; index < count; ++index)
    bytes[at + static_cast<std::size_t>(index)] =
        static_cast<char>(value >> (8 * (count - 1 - index)) & 255U);
}

void put_little(std::string& bytes, std::size_t at, std::uint64_t value, int count) {
  for (int index = 0; index < count; ++index)
    bytes[at + static_cast<std::size_t>(index)] = static_cast<char>(value >> (8 * index) & 255U);
}

/// A qcow2 header of version 3 that names nothing.
std::string qcow2() {
  auto header = padded("QFI\xfb", 4096);
  put_big(header, 4, 3, 4);
  put_big(header, 100, 104, 4);
  return header;
}

/// A sparse VMDK header with its description in sector 1.
std::string vmdk(const std::string& description, std::uint64_t sectors = 2048) {
  auto header = padded("KDMV", 4096);
  put_little(header, 4, 1, 4);
  put_little(header, 12, sectors, 8);
  put_little(header, 28, 1, 8);
  put_little(header, 36, 4, 8);
  header.replace(512, description.size(), description);
  return header;
}

}  // namespace

TEST_CASE("sniff: what is packed, and with what") {
  CHECK(sniff(padded("\x1f\x8b\x08"s)).packing == Packing::gzip);
  CHECK(sniff(padded("BZh9"s)).packing == Packing::bzip2);
  CHECK(sniff(padded("\xfd\x37zXZ\0"s)).packing == Packing::xz);
  CHECK(sniff(padded("\x28\xb5\x2f\xfd"s)).packing == Packing::zstd);
  CHECK(sniff(padded("BZhx"s)).packing == Packing::none);
  // What a server calls it does not matter then.
  CHECK(sniff(padded("\xfd\x37zXZ\0"s), "text/html").refusal.empty());
}

TEST_CASE("sniff: formats by their marks, everything else raw") {
  CHECK(sniff(qcow2()).kind == ImageKind::qcow2);
  CHECK(sniff(vmdk("")).kind == ImageKind::vmdk);
  CHECK(sniff(padded(std::string(64, '\x01') + "\x7f\x10\xda\xbe")).kind == ImageKind::vdi);
  auto boot = padded("\xeb\x63\x90"s);
  CHECK(sniff(boot).kind == ImageKind::raw);
  CHECK(sniff(boot).refusal.empty());
  // Blank disks are disks.
  CHECK(sniff(std::string(512, '\0')).refusal.empty());
}

TEST_CASE("sniff: what is no disk image") {
  const auto refusal = [](const std::string& bytes, std::string_view type = {}) {
    return sniff(bytes, type).refusal;
  };
  CHECK(refusal("") == "it is empty");
  for (const auto* page : {"<!DOCTYPE html><html>", "\n  <HTML>", "\xef\xbb\xbf<!doctype html>",
                           "<?xml version=\"1.0\"?>"})
    CHECK(refusal(page) == "it is a web page");
  // Binary, but called a page: what was asked for is somewhere else.
  CHECK(refusal(padded("\x01\x02"s), "text/html; charset=utf-8") == "it is a web page");
  CHECK(refusal(padded("\x01\x02"s), "text/plain").empty());
  CHECK(refusal("Not Found\n") == "it is a text");
  CHECK(refusal("tr\xc3\xa9s bien\n") == "it is a text");
  // A character that the end of the first bytes has cut in two.
  CHECK(refusal(std::string(511, 'a') + "\xc3") == "it is a text");
  CHECK(refusal(padded("PK\x03\x04"s)).find("zip archive") != std::string::npos);
  CHECK(refusal(padded(std::string(257, '\x01') + "ustar")).find("tar archive") !=
        std::string::npos);
  CHECK(refusal(padded("conectix"s)).find("VHD") != std::string::npos);
  CHECK(refusal("# Disk DescriptorFile\nversion=1\n").find("other files") != std::string::npos);
}

TEST_CASE("danger: a qcow2 image that names other files, or cannot be used") {
  CHECK_FALSE(image_danger(ImageKind::qcow2, qcow2()));
  auto overlay = qcow2();
  put_big(overlay, 8, 200, 8);
  put_big(overlay, 16, 11, 4);
  CHECK(image_danger(ImageKind::qcow2, overlay)->find("overlay") != std::string::npos);
  SUBCASE("an offset alone, or a length alone, is trusted no more") {
    auto offset = qcow2();
    put_big(offset, 8, 200, 8);
    CHECK(image_danger(ImageKind::qcow2, offset));
    auto length = qcow2();
    put_big(length, 16, 11, 4);
    CHECK(image_danger(ImageKind::qcow2, length));
  }
  auto external = qcow2();
  put_big(external, 72, 4, 8);
  CHECK(image_danger(ImageKind::qcow2, external)->find("another file") != std::string::npos);
  auto encrypted = qcow2();
  put_big(encrypted, 32, 2, 4);
  CHECK(image_danger(ImageKind::qcow2, encrypted) == "it is encrypted");
  auto corrupt = qcow2();
  put_big(corrupt, 72, 2, 8);
  CHECK(image_danger(ImageKind::qcow2, corrupt) == "it is marked as corrupt");
  auto dirty = qcow2();
  put_big(dirty, 72, 1, 8);
  CHECK_FALSE(image_danger(ImageKind::qcow2, dirty));
  auto later = qcow2();
  put_big(later, 4, 4, 4);
  CHECK(image_danger(ImageKind::qcow2, later));
  SUBCASE("in version 2 there are no features, whatever stands in their place") {
    auto old = qcow2();
    put_big(old, 4, 2, 4);
    put_big(old, 72, 4, 8);
    CHECK_FALSE(image_danger(ImageKind::qcow2, old));
  }
  CHECK(image_danger(ImageKind::qcow2, qcow2().substr(0, 80)));
}

TEST_CASE("danger: a VMDK image that goes by a list of files, or has a parent") {
  CHECK_FALSE(image_danger(ImageKind::vmdk, vmdk("createType=\"monolithicSparse\"\n")));
  CHECK(image_danger(ImageKind::vmdk, vmdk("RW 8 FLAT \"/etc/shadow\" 0\n", 0)));
  CHECK(image_danger(ImageKind::vmdk, vmdk("parentFileNameHint=\"/etc/shadow\"\n")));
  auto far_away = vmdk("");
  put_little(far_away, 28, std::uint64_t{1} << 40, 8);
  CHECK(image_danger(ImageKind::vmdk, far_away));
  auto huge = vmdk("");
  put_little(huge, 36, ~std::uint64_t{0}, 8);
  CHECK(image_danger(ImageKind::vmdk, huge));
  CHECK(image_danger(ImageKind::vmdk, "KDMV"));
}
