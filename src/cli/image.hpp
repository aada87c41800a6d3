// SPDX-License-Identifier: MIT
// `qlaunch image pull/list/verify/prune`: downloaded images. The work is in image/pull.hpp and
// image/image_store.hpp.
#pragma once

#include "cli/command.hpp"
#include "core/units.hpp"

#include <optional>
#include <string>
#include <vector>

namespace qlaunch {

struct ImageOptions {
  std::string action;
  std::vector<std::string> words;
  std::string sha512, sha256, format, limit;
  std::optional<Duration> timeout;
  bool insecure = false;
  bool yes = false;
  bool json = false;
};

void add_image(CLI::App& app, ImageOptions& options);
int image_command(const ImageOptions& options, Terminal& terminal);

/// Its actions.
int pull_images(const ImageOptions& options, Terminal& terminal);
int list_images(const ImageOptions& options, Terminal& terminal);
int verify_images(const ImageOptions& options, Terminal& terminal);
int prune_images(const ImageOptions& options, Terminal& terminal);

}  // namespace qlaunch
