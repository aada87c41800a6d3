// SPDX-License-Identifier: MIT
#include "vm/disk/image_hold.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "image/image_store.hpp"
#include "image/pull.hpp"
#include "vm/disk/bases.hpp"
#include "vm/launch.hpp"

#include <filesystem>
#include <map>

namespace qlaunch {
namespace {

PullHooks hooks_of(const LaunchProgress& progress, const std::function<bool()>& interrupted) {
  PullHooks hooks;
  hooks.step = progress.step;
  hooks.progress = progress.download;
  hooks.interrupted = interrupted;
  return hooks;
}

void fetch(const Plan& plan, const MissingImage& image, const PullHooks& hooks) {
  PullWant want;
  want.name = image.name;
  want.url = image.url;
  want.algorithm = image.algorithm;
  want.digest = image.digest;
  want.format = image.path.ends_with(".raw") ? DiskFormat::raw : DiskFormat::qcow2;
  try {
    const auto pulled = pull_image(plan.paths.cache, want, hooks);
    if (pulled.path != image.path)
      throw Error("image " + in_backticks(image.name) + " was kept as " +
                  in_backticks(pulled.path) + ", not as " + in_backticks(image.path));
    if (!pulled.was_there) hooks.step("image " + in_backticks(image.name) + " is downloaded");
  } catch (Error& error) {
    if (hooks.interrupted())
      throw Error("interrupted: the next start goes on from what is downloaded");
    throw std::move(error).at(image.where);
  }
}

/// Those of the folder of images that this start reads, and whether the plan names them.
std::map<std::string, bool> images_of(const Plan& plan, const std::string& folder) {
  std::map<std::string, bool> found;
  const auto take = [&](const std::string& path, bool named) {
    if (std::filesystem::path(path).parent_path() == folder) found.emplace(path, named);
  };
  for (const auto& preparation : plan.preparations) {
    if (const auto* disk = std::get_if<MakeDisk>(&preparation.what)) take(disk->base, true);
  }
  for (const auto& disk : plan.disks) {
    take(disk.path, true);
    // What was made at an earlier start, perhaps on another image.
    if (disk.format == DiskFormat::qcow2) take(base_of(disk.path), false);
  }
  return found;
}

}  // namespace

bool ImageHold::ready(const Plan& plan, const LaunchProgress& progress,
                      const std::function<bool()>& interrupted) {
  held_.clear();
  const auto hooks = hooks_of(progress, interrupted);
  for (const auto& image : plan.missing_images) fetch(plan, image, hooks);
  if (!plan.missing_images.empty()) return false;

  const ImageStore store(plan.paths.cache);
  ImageWatch watch;
  watch.interrupted = interrupted;
  for (const auto& [path, named] : images_of(plan, store.folder())) {
    auto held = hold_image(path);
    if (!held && named && file_fact(path).kind == FileFact::Kind::missing) return false;
    const auto name = parse_image_name(std::filesystem::path(path).filename().string());
    if (!held || !name) continue;  // QEMU says what it misses
    watch.progress = [&](std::uint64_t have, std::uint64_t total) {
      progress.download({PullProgress::What::checks, short_digest(*name), have, total});
    };
    if (store.look(*name, watch) == ImageStore::State::altered)
      throw Error("image " + in_backticks(path) + " is not what was downloaded: it was altered")
          .help("`qlaunch image pull` with its URL or profile fetches it anew");
    held_.push_back(std::move(*held));
  }
  return true;
}

}  // namespace qlaunch
