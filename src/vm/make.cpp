// SPDX-License-Identifier: MIT
#include "vm/make.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "guest/seed_volume.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "image/hello_image.hpp"
#include "image/image_locks.hpp"
#include "image/new_image.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {
namespace {

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

bool missing(const std::string& path) {
  return file_fact(path).kind == FileFact::Kind::missing;
}

void make_by_qemu_img(const std::string& path, const HostFacts& facts,
                      std::vector<std::string> words, bool replace, Undo& undo) {
  make_folders(std::filesystem::path(path).parent_path().string());
  make_image(QemuImg(facts.qemu_img), path, std::move(words), replace);
  undo.remove_later(path);
}

void make_disk(const MakeDisk& disk, const HostFacts& facts, Undo& undo) {
  if (!disk.fresh && !missing(disk.path)) return;
  std::vector<std::string> words{"create", "-q", "-f",
                                 disk.format == DiskFormat::qcow2 ? "qcow2" : "raw"};
  if (!disk.base.empty()) {
    words.insert(words.end(), {"-b", disk.base, "-F", disk.base_format});
  }
  words.emplace_back("{}");
  if (disk.size) words.push_back(std::to_string(*disk.size));
  make_by_qemu_img(disk.path, facts, words, disk.fresh, undo);
}

void make_nvram(const MakeNvram& nvram, const HostFacts& facts, Undo& undo) {
  if (!missing(nvram.path)) return;
  make_by_qemu_img(
      nvram.path, facts,
      {"convert", "-q", "-f", nvram.template_format, "-O", "qcow2", nvram.template_path, "{}"},
      false, undo);
}

void write_hello_image(const WriteHelloImage& image, Undo& undo) {
  if (!missing(image.path)) return;
  make_folders(std::filesystem::path(image.path).parent_path().string());
  std::string bytes(hello_image_size, '\0');
  const auto code = hello_boot_code();
  std::copy(code.begin(), code.end(), bytes.begin());
  write_file_atomic(image.path, bytes);
  undo.remove_later(image.path);
}

/// For filesystems that cannot do it by themselves.
void copy_bytes(int from, int to, const std::string& path) {
  std::array<char, 65536> bytes{};
  for (;;) {
    const auto got = read(from, bytes.data(), bytes.size());
    if (got == 0) return;
    if (got < 0)
      throw system_error("cannot read what " + in_backticks(path) + " is to hold", errno);
    write_all(to, std::string_view(bytes.data(), static_cast<std::size_t>(got)), path);
  }
}

/// Where the filesystem can, without copying a byte.
void copy_file(const CopyFile& copy, Undo& undo) {
  const UniqueFd from(open(copy.from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) throw system_error("cannot read " + in_backticks(copy.from), errno);
  undo.remove_later(copy.path);
  const UniqueFd to(
      open(copy.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!to) throw system_error("cannot write " + in_backticks(copy.path), errno);
  constexpr std::size_t much = std::size_t{1} << 30U;
  for (;;) {
    const auto done = copy_file_range(from.get(), nullptr, to.get(), nullptr, much, 0);
    if (done == 0) return;
    if (done < 0 && (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
      return copy_bytes(from.get(), to.get(), copy.path);
    if (done < 0 && errno != EINTR)
      throw system_error("cannot write " + in_backticks(copy.path), errno);
  }
}

void make_seed(const MakeSeed& seed, Undo& undo) {
  const bool fresh = missing(seed.path);
  make_seed_volume(seed);
  if (fresh) undo.remove_later(seed.path);
}

}  // namespace

Undo::~Undo() {
  for (; !paths_.empty(); paths_.pop_back()) {
    try {
      // Another VM may have started on a disk that this launch made and now takes back.
      if (image_use(paths_.back()) == ImageUse::none) remove_tree(paths_.back());
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // It runs while a failure is on its way to the user, and that one is the news.
    }
  }
}

void make_folder(const std::string& path, Undo& undo) {
  const bool fresh = missing(path);
  make_private_folder(path);
  if (fresh) undo.remove_later(path);
}

std::string describe_work(const Preparation& preparation) {
  const auto making = [](const std::string& what, const std::string& path) {
    return missing(path) ? "making " + what + ' ' + path : std::string();
  };
  return std::visit(
      Overloaded{[](const MakeFolder&) { return std::string(); },
                 [](const WriteFile&) { return std::string(); },
                 [&](const MakeDisk& disk) {
                   if (disk.fresh) return "making a throw-away overlay on " + disk.base;
                   return making(disk.base.empty() ? "disk" : "overlay", disk.path);
                 },
                 [&](const MakeNvram& nvram) { return making("UEFI variables", nvram.path); },
                 [&](const WriteHelloImage& image) { return making("image", image.path); },
                 [](const CopyFile&) { return std::string(); },
                 [](const MakeSeed&) { return std::string(); }},
      preparation.what);
}

void make(const Preparation& preparation, const HostFacts& facts, Undo& undo) {
  try {
    std::visit(Overloaded{[&](const MakeFolder& folder) { make_folder(folder.path, undo); },
                          [&](const WriteFile& file) {
                            write_file_atomic(file.path, with_keys(file.content, file.ssh_folder));
                            undo.remove_later(file.path);
                          },
                          [&](const MakeDisk& disk) { make_disk(disk, facts, undo); },
                          [&](const MakeNvram& nvram) { make_nvram(nvram, facts, undo); },
                          [&](const WriteHelloImage& image) { write_hello_image(image, undo); },
                          [&](const CopyFile& copy) { copy_file(copy, undo); },
                          [&](const MakeSeed& seed) { make_seed(seed, undo); }},
               preparation.what);
  } catch (Error& error) {
    throw Error(std::move(error)).at(preparation.reason.where);
  } catch (const std::filesystem::filesystem_error& error) {
    throw Error(error.what()).at(preparation.reason.where);
  }
}

}  // namespace qlaunch
