// SPDX-License-Identifier: MIT
#include "cli/download_text.hpp"

#include "core/text.hpp"
#include "core/units.hpp"

#include <algorithm>

namespace qlaunch {
namespace {

constexpr auto window = std::chrono::seconds(5);
constexpr auto steady_span = std::chrono::milliseconds(500);
constexpr std::size_t bar_width = 20;

std::optional<unsigned> percent(const PullProgress& progress) {
  if (!progress.total || *progress.total == 0) return std::nullopt;
  const auto part = static_cast<double>(progress.have) / static_cast<double>(*progress.total);
  return static_cast<unsigned>(std::clamp(part, 0.0, 1.0) * 100);
}

/// The name, with what is done where that is no download.
std::string head(const PullProgress& progress) {
  switch (progress.what) {
    case PullProgress::What::waits:
      return "waiting for " + progress.name;
    case PullProgress::What::checks:
      return "checking " + progress.name;
    case PullProgress::What::unpacks:
      return "unpacking " + progress.name;
    case PullProgress::What::converts:
      return "converting " + progress.name;
    case PullProgress::What::downloads:
      break;
  }
  return progress.name;
}

std::string padded(unsigned value) {
  auto text = std::to_string(value) + '%';
  return std::string(text.size() < 4 ? 4 - text.size() : 0, ' ') + text;
}

std::string bar(unsigned percent) {
  const auto filled = bar_width * percent / 100;
  return "[" + std::string(filled, '#') + std::string(bar_width - filled, '.') + "]";
}

/// "7s", "2m5s", "1h3m"
std::string time_left(double seconds) {
  constexpr double longest = 100 * 3600;
  auto left = std::chrono::seconds(static_cast<std::int64_t>(std::min(seconds, longest)) + 1);
  if (left >= std::chrono::hours(1)) left -= left % std::chrono::minutes(1);
  return format_duration(left) + " left";
}

}  // namespace

void TransferRate::add(Time now, std::uint64_t have) {
  // What starts over, or waits for the next try, says nothing of how fast it goes.
  if (!samples_.empty() && have < samples_.back().second) samples_.clear();
  samples_.emplace_back(now, have);
  while (samples_.size() > 2 && now - samples_.front().first > window) samples_.pop_front();
}

std::optional<double> TransferRate::per_second() const {
  if (samples_.empty()) return std::nullopt;
  const std::chrono::duration<double> span = samples_.back().first - samples_.front().first;
  if (span < steady_span) return std::nullopt;
  return static_cast<double>(samples_.back().second - samples_.front().second) / span.count();
}

std::string download_text(const PullProgress& progress, std::optional<double> rate,
                          std::size_t room) {
  const bool bytes = progress.what != PullProgress::What::converts;
  const auto done = percent(progress);
  std::string sizes, speed;
  if (bytes) {
    sizes = format_size_rounded(progress.have);
    if (progress.total) sizes += " of " + format_size_rounded(*progress.total);
    if (rate) speed = format_size_rounded(static_cast<std::uint64_t>(*rate)) + "/s";
    if (rate && *rate > 0 && progress.total && *progress.total > progress.have)
      speed += "  " + time_left(static_cast<double>(*progress.total - progress.have) / *rate);
  }
  const auto compose = [&](bool with_bar, bool with_sizes) {
    auto text = "  " + printable(head(progress));
    if (done) text += ' ' + padded(*done);
    if (done && with_bar) text += ' ' + bar(*done);
    if (!sizes.empty() && (with_sizes || !done)) text += "  " + sizes;
    if (!speed.empty()) text += "  " + speed;
    return text;
  };
  for (const auto& text : {compose(true, true), compose(false, true)}) {
    if (static_cast<std::size_t>(display_width(text)) <= room) return text;
  }
  auto text = decode_utf8_lossy(compose(false, false));
  if (text.size() > room) {
    // The name is the longest part, and its end the least of it.
    const auto over = text.size() - room;
    const auto name = decode_utf8_lossy("  " + printable(head(progress)));
    if (over < name.size()) text.erase(name.size() - over, over);
    text.resize(std::min(text.size(), room));
  }
  return encode_utf8(text);
}

std::string Downloads::text(const PullProgress& progress, TransferRate::Time now,
                            std::size_t room) {
  auto& one = all_[progress.name];
  if (one.last.what != progress.what) one.rate = {};
  one.last = progress;
  one.when = now;
  one.rate.add(now, progress.have);
  std::erase_if(all_, [&](const auto& entry) { return now - entry.second.when > window; });
  if (all_.size() == 1) return download_text(progress, one.rate.per_second(), room);
  std::vector<std::string> parts;
  for (const auto& [name, each] : all_) {
    const auto done = percent(each.last);
    parts.push_back(printable(head(each.last)) + (done ? ' ' + std::to_string(*done) + '%' : ""));
  }
  auto text = decode_utf8_lossy("  " + join(parts, ", "));
  if (text.size() > room) text.resize(room);
  return encode_utf8(text);
}

}  // namespace qlaunch
