// SPDX-License-Identifier: MIT
#include "image/new_image.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/process.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <unistd.h>

namespace qlaunch {

std::string half_made_name(const std::string& path) {
  return path + std::string(half_made_mark) + std::to_string(getpid());
}

void remove_half_made(const std::string& path) {
  const std::filesystem::path target(path);
  const auto start = target.filename().string() + std::string(half_made_mark);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(target.parent_path(), ignored)) {
    const auto name = entry.path().filename().string();
    if (!name.starts_with(start)) continue;
    const auto pid = parse_unsigned(std::string_view(name).substr(start.size()));
    if (pid && !identify(static_cast<pid_t>(*pid))) std::filesystem::remove(entry.path(), ignored);
  }
}

void move_into_place(const std::string& half_made, const std::string& path) {
  // link() refuses to replace a file that appeared meanwhile.
  if (link(half_made.c_str(), path.c_str()) == 0) {
    unlink(half_made.c_str());
    return;
  }
  if (errno == EEXIST) throw Error(in_backticks(path) + " appeared while it was being made");
  // Some filesystems have no hard links.
  std::filesystem::rename(half_made, path);
}

void make_image(const QemuImg& qemu_img, const std::string& path, std::vector<std::string> words,
                bool replace, const ImageWork& work) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  remove_half_made(path);
  const auto half_made = half_made_name(path);
  std::replace(words.begin(), words.end(), std::string("{}"), half_made);
  try {
    qemu_img.run(std::move(words), "cannot make " + in_backticks(path), folder, work);
    if (replace) {
      std::filesystem::rename(half_made, path);
    } else {
      move_into_place(half_made, path);
    }
  } catch (...) {
    unlink(half_made.c_str());
    throw;
  }
}

}  // namespace qlaunch
