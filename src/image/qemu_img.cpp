// SPDX-License-Identifier: MIT
#include "image/qemu_img.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/capture.hpp"
#include "host/doctor.hpp"
#include "host/files.hpp"
#include "host/programs.hpp"
#include "image/image_locks.hpp"

#include <cstdlib>
#include <utility>

#include <nlohmann/json.hpp>

#include <sys/wait.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

// Of `check`, its own codes beside 0 and 1: looked, and found this.
constexpr int found_corruptions = 2;
constexpr int found_leaks = 3;
constexpr int cannot_be_checked = 63;

/// A list of a thousand snapshots has some 200 KiB.
constexpr std::size_t longest_answer = std::size_t{16} << 20;

ImageInfo info_from(const Json& json) {
  ImageInfo info;
  info.path = json.at("filename");
  info.format = json.at("format");
  info.virtual_size = json.at("virtual-size");
  info.allocated_size = json.value("actual-size", std::uint64_t{0});
  info.backing = json.value("full-backing-filename", json.value("backing-filename", ""));
  info.backing_format = json.value("backing-filename-format", "");
  info.dirty = json.value("dirty-flag", false);
  if (const auto special = json.find("format-specific"); special != json.end()) {
    const auto data = special->value("data", Json::object());
    if (const auto corrupt = data.find("corrupt"); corrupt != data.end() && corrupt->is_boolean())
      info.corrupt = *corrupt;
    if (const auto compat = data.find("compat"); compat != data.end() && compat->is_string())
      info.version_2 = *compat == "0.10";
  }
  for (const auto& each : json.value("snapshots", Json::array())) {
    ImageSnapshot snapshot;
    snapshot.id = each.at("id");
    snapshot.tag = each.at("name");
    snapshot.vm_state_size = each.value("vm-state-size", std::uint64_t{0});
    snapshot.date = each.value("date-sec", std::int64_t{0});
    snapshot.date_nanoseconds = each.value("date-nsec", std::uint32_t{0});
    info.snapshots.push_back(std::move(snapshot));
  }
  return info;
}

/// The last of "(12.34/100%)" in what -p prints.
double percent_in(const std::string& printed) {
  const auto open = printed.rfind('(');
  if (open == std::string::npos || printed.find("/100%)", open) == std::string::npos) return -1;
  return std::strtod(printed.c_str() + open + 1, nullptr);
}

Captured run_program(std::vector<std::string> words, const std::string& program,
                     const ImageWork& work) {
  if (work.progress) words.insert(words.begin() + 1, "-p");
  words.insert(words.begin(), program);
  SpawnOptions options;
  options.argv = std::move(words);
  // Messages are read here.
  options.environment = {"LC_ALL=C"};
  // Nobody would clean up after it.
  options.die_with_parent = true;
  double told = -1;
  auto result =
      capture(std::move(options), work.timeout, longest_answer, [&](const Captured& output) {
        if (work.progress) {
          const auto percent = percent_in(output.out);
          if (percent > told) work.progress(told = percent);
        }
        return work.interrupted && work.interrupted();
      });
  if (work.interrupted && work.interrupted()) throw Error("interrupted");
  if (result.end == CaptureEnd::timeout)
    throw TimeoutError("`qemu-img` did not end within " +
                       format_duration(std::chrono::duration_cast<Duration>(work.timeout)));
  return std::move(result.output);
}

[[noreturn]] void fail(const Captured& result, const std::string& what, const std::string& path) {
  const auto reason = reason_of_qemu_img(result.err);
  if (reason.find(" lock") != std::string::npos) {
    const auto holders = image_holders(path);
    StateError error(what + ": it is in use by " + describe_holders(holders));
    throw error;
  }
  Error error(what + ": " + (reason.empty() ? describe_exit(result.status) : reason));
  if (reason.find("No space left") != std::string::npos ||
      reason.find("quota exceeded") != std::string::npos)
    error.help("free space there: " + format_size_rounded(free_space(path)));
  throw error;
}

template <class Parse>
auto parsed(std::string_view text, Parse&& parse) {
  try {
    return parse(Json::parse(text));
  } catch (const Json::exception& error) {
    throw Error(std::string("`qemu-img` said something unexpected: ") + error.what());
  }
}

}  // namespace

std::vector<ImageInfo> parse_image_info(std::string_view json) {
  return parsed(json, [](const Json& value) {
    std::vector<ImageInfo> all;
    if (value.is_array()) {
      for (const auto& each : value) all.push_back(info_from(each));
    } else {
      all.push_back(info_from(value));
    }
    return all;
  });
}

ImageCheck parse_image_check(std::string_view json) {
  return parsed(json, [](const Json& value) {
    const auto count = [&](const char* key) { return value.value(key, std::uint64_t{0}); };
    ImageCheck check;
    check.errors = value.at("check-errors");
    check.corruptions = count("corruptions");
    check.leaks = count("leaks");
    check.corruptions_fixed = count("corruptions-fixed");
    check.leaks_fixed = count("leaks-fixed");
    return check;
  });
}

std::string reason_of_qemu_img(std::string_view printed) {
  std::string reason;
  for (const auto& line : split(printed, '\n')) {
    std::string_view text = trim(line);
    if (text.starts_with("qemu-img: ")) text.remove_prefix(10);
    // "Is another process using the image [PATH]?" follows the reason and asks what we tell.
    if (text.empty() || text.starts_with("Is another process") || text.starts_with("warning:"))
      continue;
    reason = text;
  }
  // "Could not open 'X': Could not open 'X': No such file": once is enough.
  const std::string_view all = reason;
  for (std::size_t at = all.find(": "); at != std::string_view::npos; at = all.find(": ", at + 1)) {
    const auto first = all.substr(0, at + 2);
    if (all.substr(at + 2).starts_with(first)) return std::string(all.substr(at + 2));
  }
  return reason;
}

const std::string& QemuImg::program() const {
  if (program_.empty()) program_ = find_installed("qemu-img");
  if (program_.empty())
    throw Error("`qemu-img` is not installed").help(install_command("qemu-img"));
  return program_;
}

std::string QemuImg::run(std::vector<std::string> words, const std::string& what,
                         const std::string& path, const ImageWork& work) const {
  auto result = run_program(std::move(words), program(), work);
  if (!result.ok()) fail(result, what, path);
  return std::move(result.out);
}

ImageInfo QemuImg::info(const std::string& path, const std::string& format) const {
  std::vector<std::string> words{"info", "-U", "--output=json"};
  if (!format.empty()) words.insert(words.end(), {"-f", format});
  words.push_back(path);
  return parse_image_info(run(words, "cannot read " + in_backticks(path), path)).at(0);
}

std::vector<ImageInfo> QemuImg::chain(const std::string& path, const std::string& format) const {
  std::vector<std::string> words{"info", "-U", "--output=json", "--backing-chain"};
  if (!format.empty()) words.insert(words.end(), {"-f", format});
  words.push_back(path);
  return parse_image_info(run(words, "cannot read " + in_backticks(path), path));
}

ImageCheck QemuImg::check(const std::string& path, const std::string& format, ImageRepair repair,
                          const ImageWork& work) const {
  std::vector<std::string> words{"check", "--output=json"};
  if (repair != ImageRepair::nothing)
    words.insert(words.end(), {"-r", repair == ImageRepair::all ? "all" : "leaks"});
  if (!format.empty()) words.insert(words.end(), {"-f", format});
  words.push_back(path);
  auto quiet = work;
  quiet.progress = {};  // it would stand in the midst of the JSON
  const auto result = run_program(words, program(), quiet);
  const int code = WIFEXITED(result.status) ? WEXITSTATUS(result.status) : -1;
  if (code == cannot_be_checked) return {};
  if (code != 0 && code != found_corruptions && code != found_leaks &&
      !(code == 1 && result.out.starts_with('{')))
    fail(result, "cannot check " + in_backticks(path), path);
  return parse_image_check(result.out);
}

}  // namespace qlaunch
