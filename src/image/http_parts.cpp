// SPDX-License-Identifier: MIT
#include "image/http_parts.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::optional<std::uint64_t> number(std::string_view text) {
  const auto value = parse_unsigned(trim(text));
  return value ? std::optional<std::uint64_t>(*value) : std::nullopt;
}

/// "bytes 100-199/1000", "bytes */1000"
std::optional<ResponseHeaders::ContentRange> parse_range(std::string_view text) {
  constexpr std::string_view unit = "bytes ";
  if (!lower_ascii(text).starts_with(unit)) return std::nullopt;
  text.remove_prefix(unit.size());
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  ResponseHeaders::ContentRange range;
  const auto bytes = text.substr(0, slash);
  if (const auto dash = bytes.find('-'); dash != std::string_view::npos)
    range.first = number(bytes.substr(0, dash));
  range.total = number(text.substr(slash + 1));
  return range;
}

}  // namespace

std::optional<PartState> parse_part_state(std::string_view json) {
  const auto parsed = Json::parse(json, nullptr, false);
  if (!parsed.is_object()) return std::nullopt;
  try {
    PartState state;
    state.url = parsed.at("url").get<std::string>();
    state.etag = parsed.value("etag", std::string());
    state.modified = parsed.value("modified", std::string());
    if (const auto total = parsed.find("total"); total != parsed.end() && !total->is_null())
      state.total = total->get<std::uint64_t>();
    state.complete = parsed.value("complete", false);
    return state;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

std::string to_json(const PartState& state) {
  Json json{{"url", state.url},
            {"etag", state.etag},
            {"modified", state.modified},
            {"complete", state.complete}};
  if (state.total) json["total"] = *state.total;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
}

void ResponseHeaders::line(std::string_view text) {
  text = trim(text);
  if (text.starts_with("HTTP/")) {
    // What an earlier response has said does not hold for this one.
    auto locations = std::move(locations_);
    *this = {};
    locations_ = std::move(locations);
    const auto words = split(text, ' ');
    if (words.size() > 1) status_ = static_cast<int>(parse_unsigned(words[1]).value_or(0));
    return;
  }
  const auto colon = text.find(':');
  if (colon == std::string_view::npos) return;
  const auto name = lower_ascii(text.substr(0, colon));
  const std::string value(trim(text.substr(colon + 1)));
  // A weak one stands for files that are alike, not for the same bytes.
  if (name == "etag" && value.starts_with('"')) etag_ = value;
  if (name == "last-modified") modified_ = value;
  if (name == "content-type") content_type_ = value;
  if (name == "content-length") length_ = number(value);
  if (name == "content-range") range_ = parse_range(value);
  if (name == "location") locations_.push_back(value);
}

bool ResponseHeaders::loops() const {
  std::set<std::string> seen;
  return std::any_of(locations_.begin(), locations_.end(),
                     [&](const auto& one) { return !seen.insert(one).second; });
}

ResumeRequest resume_request(const PartState& state, std::uint64_t have, bool verified) {
  ResumeRequest request;
  if (have == 0) return request;
  request.if_range = !state.etag.empty() ? state.etag : state.modified;
  request.range = !request.if_range.empty() || verified;
  return request;
}

Answer judge_answer(const ResponseHeaders& headers, const PartState& state, std::uint64_t have) {
  const auto& range = headers.content_range();
  constexpr int partial = 206;
  constexpr int no_such_range = 416;
  const bool same_size = !state.total || !range || !range->total || range->total == state.total;
  if (headers.status() == partial)
    return range && range->first == have && same_size ? Answer::rest : Answer::anew;
  if (headers.status() == no_such_range)
    return range && range->total == have && state.total == have ? Answer::complete : Answer::anew;
  return Answer::whole;
}

std::chrono::milliseconds back_off(int attempt) {
  return std::chrono::milliseconds(500) * (1 << std::clamp(attempt - 1, 0, 6));
}

bool worth_retrying(int status) {
  return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
         status == 503 || status == 504;
}

std::string without_credentials(const std::string& url) {
  const auto scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const auto begin = scheme + 3;
  const auto end = std::min(url.find_first_of("/?#", begin), url.size());
  const auto mark = url.rfind('@', end == 0 ? 0 : end - 1);
  if (mark == std::string::npos || mark < begin) return url;
  return url.substr(0, begin) + url.substr(mark + 1);
}

}  // namespace qlaunch
