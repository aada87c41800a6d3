// SPDX-License-Identifier: MIT
#include "cli/image.hpp"
#include "cli/interrupt.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/paths.hpp"
#include "image/image_store.hpp"
#include "vm/disk/bases.hpp"
#include "vm/disk/frozen.hpp"

#include <algorithm>
#include <iostream>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> users_of(const ImageNeeds& needs, const std::string& path) {
  std::vector<std::string> names;
  for (const auto& need : needs.of(path)) {
    if (names.empty() || names.back() != need.vm) names.push_back(need.vm);
  }
  return names;
}

const char* format_of(const ImageName& name) {
  return name.format == DiskFormat::qcow2 ? "qcow2" : "raw";
}

Json json_of(const StoredImage& image) {
  Json json{{"state", "whole"},
            {"algorithm", image.name.algorithm},
            {"digest", image.name.digest},
            {"format", format_of(image.name)},
            {"file", image.path},
            {"size", image.size},
            {"allocated", image.allocated}};
  const auto& record = image.record;
  json["url"] = record && !record->url.empty() ? Json(record->url) : Json();
  json["downloaded"] = record ? Json(record->downloaded) : Json();
  json["fetched"] = record && !record->time.empty() ? Json(record->time) : Json();
  json["how"] = record ? Json(record->how) : Json();
  json["verified"] = record && record->verified;
  return json;
}

Json json_of(const StoredPart& part) {
  return {{"state", "partial"},
          {"file", part.path},
          {"url", part.state.url.empty() ? Json() : Json(part.state.url)},
          {"size", part.size},
          {"allocated", part.allocated},
          {"total", part.state.total ? Json(*part.state.total) : Json()}};
}

void print_json(const Json& json, const Terminal& terminal) {
  terminal.print(json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

std::string part_words(const StoredPart& part) {
  if (part.state.complete) return "not used yet";
  if (!part.state.total || *part.state.total == 0) return "partial";
  return "partial, " + std::to_string(100 * part.size / *part.state.total) + '%';
}

std::string origin(const StoredImage& image) {
  if (!image.record || image.record->url.empty()) return "put there by hand";
  return (image.record->verified ? "" : "(no digest) ") + printable(image.record->url);
}

/// What prune takes away.
struct Prunable {
  std::vector<StoredImage> images;
  std::vector<StoredPart> parts;
  std::uint64_t bytes = 0;
};

Prunable find_prunable(const ImageStore& store) {
  Prunable found;
  const ImageNeeds needs;
  for (auto& image : store.images()) {
    if (!needs.of(image.path).empty()) continue;
    found.bytes += image.allocated;
    found.images.push_back(std::move(image));
  }
  found.parts = store.parts();
  for (const auto& part : found.parts) found.bytes += part.allocated;
  return found;
}

bool agreed(const Terminal& terminal) {
  terminal.print_error("remove them? [y/N] ");
  std::string answer;
  std::getline(std::cin, answer);
  return lower_ascii(trim(answer)).starts_with('y');
}

}  // namespace

int list_images(const ImageOptions& options, Terminal& terminal) {
  const ImageStore store(state_roots().cache);
  const ImageNeeds needs;
  Json all = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const auto& image : store.images()) {
    const auto users = users_of(needs, image.path);
    auto json = json_of(image);
    json["used_by"] = users;
    all.push_back(std::move(json));
    rows.push_back({short_digest(image.name), format_of(image.name),
                    format_size_rounded(image.allocated),
                    image.record ? image.record->time.substr(0, 10) : "",
                    users.empty() ? "-" : printable(join(users, " ")), origin(image)});
  }
  for (const auto& part : store.parts()) {
    all.push_back(json_of(part));
    rows.push_back({part_words(part), "-", format_size_rounded(part.allocated), "", "-",
                    printable(part.state.url)});
  }
  if (options.json) {
    print_json(all, terminal);
    return 0;
  }
  if (rows.empty()) terminal.say("no images\n");
  terminal.print(table({{.heading = "IMAGE"},
                        {.heading = "FORMAT", .dispensable = 3},
                        {.heading = "SIZE", .right = true},
                        {.heading = "FETCHED", .dispensable = 4},
                        {.heading = "USED BY", .dispensable = 1},
                        {.heading = "FROM"}},
                       rows, terminal.table_width()));
  return 0;
}

int verify_images(const ImageOptions& options, Terminal& terminal) {
  const ImageStore store(state_roots().cache);
  const InterruptGuard guard;
  Progress progress(terminal);
  Json all = Json::array();
  std::vector<StoredImage> altered;
  for (const auto& image : store.images()) {
    ImageWatch watch;
    watch.progress = [&](std::uint64_t have, std::uint64_t total) {
      progress.download({PullProgress::What::checks, short_digest(image.name), have, total});
    };
    watch.interrupted = InterruptGuard::interrupted;
    ImageStore::State state{};
    try {
      state = store.verify(image.name, watch);
    } catch (const Error&) {
      progress.done();
      if (!InterruptGuard::interrupted()) throw;
      return InterruptGuard::exit_code();
    }
    progress.done();
    if (state == ImageStore::State::missing) continue;
    const bool good = state == ImageStore::State::good;
    if (!good) altered.push_back(image);
    auto json = json_of(image);
    json["good"] = good;
    all.push_back(std::move(json));
    if (!options.json)
      terminal.print(short_digest(image.name) + (good ? "  good  " : "  ALTERED  ") +
                     origin(image) + '\n');
  }
  if (options.json) print_json(all, terminal);
  if (altered.empty()) return 0;
  std::vector<std::string> names;
  names.reserve(altered.size());
  for (const auto& image : altered) names.push_back(in_backticks(short_digest(image.name)));
  Error error(enumerate(names) + (names.size() == 1 ? " is" : " are") +
              " not what was downloaded any more");
  error.help(
      "`qlaunch image pull` with the URL or a profile fetches it anew; disks that lie on it "
      "may have read wrong data");
  throw error;
}

int prune_images(const ImageOptions& options, Terminal& terminal) {
  const ImageStore store(state_roots().cache);
  store.tidy();
  const auto found = find_prunable(store);
  Json all = Json::array();
  if (found.images.empty() && found.parts.empty()) {
    if (options.json) print_json(all, terminal);
    terminal.say("nothing to remove\n");
    return 0;
  }
  std::string text;
  for (const auto& image : found.images)
    text += "  " + short_digest(image.name) + "  " + format_size_rounded(image.allocated) + "  " +
            origin(image) + '\n';
  for (const auto& part : found.parts)
    text += "  " + part_words(part) + "  " + format_size_rounded(part.allocated) + "  " +
            printable(part.state.url) + '\n';
  if (!options.yes) {
    if (!terminal.in_is_terminal())
      throw UsageError("`image prune` asks before it removes anything, and there is no terminal")
          .help("`qlaunch image prune --yes` does not ask");
    terminal.print_error("no VM needs these, " + format_size_rounded(found.bytes) + " in all:\n" +
                         text);
    if (!agreed(terminal)) {
      terminal.say("nothing is removed\n");
      return static_cast<int>(ExitCode::failed);
    }
  }
  std::uint64_t freed = 0;
  const auto gone = [&](const auto& one, bool removed) {
    if (!removed) {
      terminal.say(in_backticks(one.path) + " is in use at this moment: it stays\n");
      return;
    }
    freed += one.allocated;
    all.push_back(json_of(one));
  };
  {
    const FrozenLock held;  // no VM is renamed meanwhile
    for (const auto& image : found.images) {
      // Asked anew: a VM may have been started while the question stood there.
      const auto needed = [&] { return !ImageNeeds().of(image.path).empty(); };
      gone(image, store.remove(image, needed));
    }
  }
  for (const auto& part : found.parts) gone(part, store.remove(part));
  if (options.json) {
    print_json(all, terminal);
  } else {
    if (options.yes) terminal.say(text);
    terminal.result("removed " + std::to_string(all.size()) +
                    (all.size() == 1 ? " file" : " files") + ", " + format_size_rounded(freed) +
                    " freed\n");
  }
  return 0;
}

}  // namespace qlaunch
