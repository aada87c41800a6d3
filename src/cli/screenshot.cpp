// SPDX-License-Identifier: MIT
#include "cli/screenshot.hpp"

#include "cli/options.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/files.hpp"
#include "vm/catalog.hpp"
#include "vm/screenshot.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include <sys/stat.h>

namespace qlaunch {
namespace {

void check_file(const ScreenshotOptions& options, const Terminal& terminal) {
  if (options.file == "-") {
    if (terminal.out_is_terminal())
      throw UsageError("a picture is nothing for a terminal")
          .help("name a file, or lead the output to one");
    return;
  }
  constexpr std::array<std::string_view, 7> others{".jpg", ".jpeg", ".ppm", ".bmp",
                                                   ".gif", ".webp", ".tiff"};
  const auto extension = lower_ascii(std::filesystem::path(options.file).extension().string());
  if (std::find(others.begin(), others.end(), extension) != others.end())
    throw UsageError("pictures are PNG files, and " + in_backticks(options.file) +
                     " would not look like one")
        .help("name it with `.png` at the end");
  std::error_code ignored;
  const auto status = std::filesystem::symlink_status(options.file, ignored);
  if (!std::filesystem::exists(status)) return;
  const auto target = std::filesystem::status(options.file, ignored);
  if (std::filesystem::exists(target) && !std::filesystem::is_regular_file(target))
    throw UsageError(in_backticks(options.file) + " is no file that a picture could be written to")
        .help("`-` writes it to standard output");
  if (!options.force)
    throw UsageError("file " + in_backticks(options.file) + " exists already")
        .help("`--force` replaces it");
}

mode_t usual_mode() {
  const auto mask = umask(0);
  umask(mask);
  return 0666 & ~mask;
}

}  // namespace

void add_screenshot(CLI::App& app, ScreenshotOptions& options) {
  add_word(app, options.vm, "VM", "a VM's name, or its profile");
  add_word(app, options.file, "FILE",
           "where the picture goes, as in hello.png; - is standard output");
  add_flag(app, options.force, "-f,--force", "replace the file if it exists");
}

int screenshot(const ScreenshotOptions& options, Terminal& terminal) {
  check_file(options, terminal);
  const auto picture = take_screenshot(find_vm(options.vm));
  if (options.file == "-") {
    terminal.print(picture);
  } else {
    write_file_atomic(options.file, picture, usual_mode(), Durability::quick);
  }
  return 0;
}

}  // namespace qlaunch
