// SPDX-License-Identifier: MIT
#include "host/probe_cache.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/files.hpp"

#include <cstdlib>
#include <memory>

#include <climits>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

namespace qlaunch {

namespace {

/// Raised whenever an older program would misread an entry, or a newer one miss something.
constexpr int format_version = 1;

nlohmann::json to_json(const FileStamp& stamp) {
  return {{"path", stamp.path}, {"size", stamp.size}, {"changed", stamp.changed}};
}

}  // namespace

FileStamp stamp_of(const std::string& path) {
  FileStamp stamp;
  const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), ::free);
  stamp.path = real ? real.get() : path;
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return stamp;
  stamp.size = S_ISDIR(status.st_mode) ? 0 : static_cast<long long>(status.st_size);
  stamp.changed = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
  return stamp;
}

ProbeCache::ProbeCache(const StateRoots& roots, const std::string& kind, FileStamp stamp)
    : folder_(roots.cache + "/probe"),
      file_(folder_ + '/' + kind + '-' + hexadecimal(stable_hash(stamp.path), 16) + ".json"),
      stamp_(std::move(stamp)) {}

nlohmann::json ProbeCache::load() const {
  const auto text = try_read_file(file_);
  if (!text) return nullptr;
  const auto entry = nlohmann::json::parse(*text, nullptr, false);
  if (!entry.is_object() || entry.value("format", nlohmann::json()) != format_version ||
      entry.value("file", nlohmann::json()) != to_json(stamp_)) {
    return nullptr;
  }
  return entry.value("answer", nlohmann::json());
}

void ProbeCache::store(const nlohmann::json& value) const {
  const nlohmann::json entry = {
      {"format", format_version}, {"file", to_json(stamp_)}, {"answer", value}};
  try {
    make_folders(folder_);
    write_file_atomic(file_,
                      entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n",
                      0644, Durability::quick);
  } catch (const Error&) {
    // A full disk or a read-only home costs a little time at each start, no more.
  }
}

}  // namespace qlaunch
