// SPDX-License-Identifier: MIT
#include "image/fetch_job.hpp"

#include <array>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

constexpr std::array jobs{"download", "unpack", "digest"};
constexpr std::array events{"progress", "retry", "done", "failed"};

template <class Kind, std::size_t Count>
std::optional<Kind> kind_of(const std::array<const char*, Count>& names, const std::string& name) {
  for (std::size_t index = 0; index < Count; ++index) {
    if (name == names[index]) return static_cast<Kind>(index);
  }
  return std::nullopt;
}

std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace

std::string to_line(const FetchJob& job) {
  return line_of({{"do", jobs[static_cast<std::size_t>(job.kind)]},
                  {"algorithm", job.algorithm},
                  {"limit", job.limit},
                  {"url", job.url},
                  {"verified", job.verified},
                  {"part", to_json(job.part)},
                  {"patience", job.patience.count()},
                  {"packing", static_cast<int>(job.packing)}});
}

std::optional<FetchJob> parse_job(std::string_view line) {
  const auto json = Json::parse(line, nullptr, false);
  try {
    const auto kind = kind_of<FetchJob::Kind>(jobs, json.at("do").get<std::string>());
    if (!kind) return std::nullopt;
    FetchJob job;
    job.kind = *kind;
    job.algorithm = json.at("algorithm").get<std::string>();
    job.limit = json.at("limit").get<std::uint64_t>();
    job.url = json.at("url").get<std::string>();
    job.verified = json.at("verified").get<bool>();
    job.part = parse_part_state(json.at("part").get<std::string>()).value_or(PartState{});
    job.patience = std::chrono::milliseconds(json.at("patience").get<std::int64_t>());
    job.packing = static_cast<Packing>(json.at("packing").get<int>());
    return job;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::string to_line(const FetchEvent& event) {
  Json json{{"event", events[static_cast<std::size_t>(event.kind)]}, {"have", event.have}};
  if (event.total) json["total"] = *event.total;
  if (!event.digest.empty()) json["digest"] = event.digest;
  if (!event.text.empty()) json["text"] = event.text;
  if (!event.help.empty()) json["help"] = event.help;
  if (event.refused) json["refused"] = true;
  if (event.wait.count() > 0) json["wait"] = event.wait.count();
  return line_of(json);
}

std::optional<FetchEvent> parse_event(std::string_view line) {
  const auto json = Json::parse(line, nullptr, false);
  try {
    const auto kind = kind_of<FetchEvent::Kind>(events, json.at("event").get<std::string>());
    if (!kind) return std::nullopt;
    FetchEvent event;
    event.kind = *kind;
    event.have = json.at("have").get<std::uint64_t>();
    if (json.contains("total")) event.total = json.at("total").get<std::uint64_t>();
    event.digest = json.value("digest", std::string());
    event.text = json.value("text", std::string());
    event.help = json.value("help", std::string());
    event.refused = json.value("refused", false);
    event.wait = std::chrono::milliseconds(json.value("wait", std::int64_t{0}));
    return event;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace qlaunch
