// SPDX-License-Identifier: MIT
#include "image/convert.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/capture.hpp"
#include "host/doctor.hpp"

#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <sys/wait.h>

namespace qlaunch {
namespace {

constexpr int image_fd = 3;
constexpr int result_fd = 4;
constexpr auto no_limit = std::chrono::hours(240);
constexpr std::size_t most_output = std::size_t{1} << 20;

std::string path_of(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

/// The image alone: whatever it names is not opened.
std::string only_this(int fd, ImageKind kind) {
  nlohmann::json image{{"driver", kind_word(kind)},
                       {"file", {{"driver", "file"}, {"filename", path_of(fd)}}}};
  if (kind == ImageKind::qcow2 || kind == ImageKind::vmdk) image["backing"] = nullptr;
  return "json:" + image.dump();
}

Captured run(std::vector<std::string> words, std::map<int, int> descriptors,
             const ConvertWatch& watch) {
  auto program = find_program("qemu-img");
  if (program.empty())
    throw Error("`qemu-img` is not installed, and the image has to be converted")
        .help(install_command("qemu-img"));
  SpawnOptions options;
  words.insert(words.begin(), std::move(program));
  options.argv = std::move(words);
  options.descriptors = std::move(descriptors);
  options.die_with_parent = true;
  bool stop = false;
  auto result = capture(std::move(options), no_limit, most_output, [&](const Captured& so_far) {
    watch.progress(percent_in(so_far.out));
    stop = stop || watch.interrupted();
    return stop;
  });
  if (stop || watch.interrupted()) throw Error("interrupted");
  return std::move(result.output);
}

/// What qemu-img says, without its name and the paths it was given.
std::string reason(const Captured& output) {
  std::string text(trim(output.err));
  if (text.starts_with("qemu-img: ")) text.erase(0, 10);
  text = text.substr(0, text.find('\n'));
  for (const int fd : {image_fd, result_fd}) {
    const auto name = path_of(fd);
    if (const auto at = text.find("'" + name + "'"); at != std::string::npos)
      text.replace(at, name.size() + 2, "it");
  }
  if (const auto at = text.find("'json:"); at != std::string::npos)
    if (const auto end = text.find("}'", at); end != std::string::npos)
      text.replace(at, end + 2 - at, "it");
  return text.empty() ? describe_exit(output.status) : text;
}

}  // namespace

double percent_in(std::string_view printed) {
  const auto end = printed.rfind("/100%)");
  const auto begin = end == std::string_view::npos ? end : printed.rfind('(', end);
  if (begin == std::string_view::npos) return 0;
  return std::strtod(std::string(printed.substr(begin + 1, end - begin - 1)).c_str(), nullptr);
}

void convert_image(int from, ImageKind kind, int to, DiskFormat format, const ConvertWatch& watch) {
  const auto output = run({"convert", "-p", "-O", format == DiskFormat::qcow2 ? "qcow2" : "raw",
                           only_this(image_fd, kind), path_of(result_fd)},
                          {{image_fd, from}, {result_fd, to}}, watch);
  if (!output.ok())
    throw Error("qemu-img cannot convert it from " + std::string(kind_word(kind)) + ": " +
                reason(output));
}

void check_qcow2(int image, const ConvertWatch& watch) {
  constexpr int leaks_alone = 3;
  const auto output =
      run({"check", only_this(image_fd, ImageKind::qcow2)}, {{image_fd, image}}, watch);
  const bool leaks = WIFEXITED(output.status) && WEXITSTATUS(output.status) == leaks_alone;
  if (!output.ok() && !leaks) throw Error("it is a damaged qcow2 image: " + reason(output));
}

}  // namespace qlaunch
