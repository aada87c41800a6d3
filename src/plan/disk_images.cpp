// SPDX-License-Identifier: MIT
#include "plan/disk_images.hpp"

#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "profile/expand.hpp"

#include <algorithm>

namespace qlaunch::planner {

namespace {

const char* format_word(DiskFormat format) {
  return format == DiskFormat::qcow2 ? "qcow2" : "raw";
}

std::optional<DiskBase> from_file(Draft& draft, const std::string& path, const std::string& key,
                                  const std::string& what) {
  const auto fact = draft.file(path);
  if (fact.kind == FileFact::Kind::missing) {
    draft.error(key, what + ' ' + in_backticks(path) + " does not exist");
    return std::nullopt;
  }
  if (fact.kind == FileFact::Kind::folder || fact.kind == FileFact::Kind::other) {
    draft.error(key, what + ' ' + in_backticks(path) + " is not a disk image");
    return std::nullopt;
  }
  if (!fact.readable) draft.error(key, what + ' ' + in_backticks(path) + " cannot be read");
  const auto size = fact.virtual_size ? fact.virtual_size : std::optional(fact.size);
  return DiskBase{path, fact.format.empty() ? "raw" : fact.format, size, key};
}

/// The image for this machine's architecture, or nothing after an error.
const Image* find_image(Draft& draft, const std::string& name, const std::string& key) {
  const Image* other = nullptr;
  std::vector<std::string> names;
  for (const auto& image : draft.profile.images) {
    names.push_back(image.name);
    if (image.name != name) continue;
    if (image.arch.empty() || image.arch == "x86_64") return &image;
    other = &image;
  }
  if (other != nullptr) {
    draft.error(key, "image " + in_backticks(name) + " is there for " + in_backticks(other->arch) +
                         " only, not for `x86_64`");
    return nullptr;
  }
  auto& problem = draft.error(key, "there is no [[image]] named " + in_backticks(name));
  if (const auto near = nearest(name, names))
    problem.help.push_back("did you mean " + in_backticks(*near) + "?");
  return nullptr;
}

std::optional<DiskBase> from_image(Draft& draft, const Image& image, const std::string& key) {
  if (!is_url(image.url)) return from_file(draft, image.url, key, "image");
  const bool sha512 = !image.sha512.empty();
  const auto digest = lower_ascii(sha512 ? image.sha512 : image.sha256);
  if (digest.empty()) {
    draft
        .error(key, "image " + in_backticks(image.name) +
                        " has no digest, so what is downloaded "
                        "could not be verified")
        .help.emplace_back(
            "`qlaunch image pull URL` downloads it and prints the line to put into [[image]]: "
            "compare it with what its publisher gives");
    return std::nullopt;
  }
  const auto path = cached_image_path(draft.plan.paths.cache, image);
  DiskBase base{path, format_word(image.format), std::nullopt, key};
  const auto fact = draft.file(path);
  if (fact.kind != FileFact::Kind::missing) {
    base.size = fact.virtual_size;
    return base;
  }
  const auto& all = draft.plan.missing_images;
  const bool known = std::any_of(all.begin(), all.end(),
                                 [&](const MissingImage& one) { return one.path == path; });
  if (known) return base;
  draft.plan.missing_images.push_back({image.name, image.url, sha512 ? "sha512" : "sha256", digest,
                                       path, draft.profile.where(key)});
  auto& found = draft.warning(key, "image " + in_backticks(image.name) + " is not downloaded yet");
  found.help.emplace_back("`qlaunch up` fetches it first; this does so beforehand:");
  found.help.push_back(std::string(command_mark) + draft.plan.missing_images.back().how_to_get());
  return base;
}

std::optional<DiskBase> from_builtin(Draft& draft, const std::string& image,
                                     const std::string& key) {
  if (image != "builtin:hello") {
    draft.error(key, "there is no built-in image " + in_backticks(image))
        .help.emplace_back("the one built-in image is `builtin:hello`");
    return std::nullopt;
  }
  const auto path = draft.plan.paths.data + "/hello.img";
  draft.need_folder(draft.plan.paths.data, "this VM's lasting files");
  draft.prepare(
      {WriteHelloImage{path}, draft.because(key, "the guest that travels inside qlaunch")});
  return DiskBase{path, "raw", std::nullopt, key};
}

}  // namespace

std::string cached_image_path(const std::string& cache, const Image& image) {
  const bool sha512 = !image.sha512.empty();
  return cache + "/images/" + (sha512 ? "sha512-" : "sha256-") +
         lower_ascii(sha512 ? image.sha512 : image.sha256) + '.' + format_word(image.format);
}

std::optional<DiskBase> resolve_base(Draft& draft, std::size_t index) {
  const auto& disk = draft.profile.disks[index];
  if (!disk.base.empty())
    return from_file(draft, disk.base, key_of("disk", index, "base"), "base image");
  if (disk.image.empty()) return std::nullopt;
  const auto key = key_of("disk", index, "image");
  if (disk.image.starts_with("builtin:")) return from_builtin(draft, disk.image, key);
  if (is_url(disk.image)) {
    draft.error(key, "an image by URL needs its digest")
        .help.emplace_back(
            "write an [[image]] with `name`, this `url` and its `sha512`, and name it "
            "here");
    return std::nullopt;
  }
  if (disk.image.starts_with('/')) return from_file(draft, disk.image, key, "image");
  const auto* image = find_image(draft, disk.image, key);
  return image == nullptr ? std::nullopt : from_image(draft, *image, key);
}

}  // namespace qlaunch::planner
