// SPDX-License-Identifier: MIT
#include "core/units.hpp"
#include "fetch/curl_words.hpp"
#include "fetch/digest.hpp"
#include "fetch/jobs.hpp"
#include "fetch/output.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <memory>
#include <optional>
#include <thread>

#include <curl/curl.h>

namespace qlaunch::fetch {
namespace {

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

/// One file from one URL, in as many requests as it takes.
class Download {
 public:
  explicit Download(const FetchJob& job)
      : job_(job), curl_(curl_easy_init()), digest_(job.algorithm), state_(job.part) {
    if (!curl_) throw Failure("libcurl does not start");
    have_ = size_of(part_fd);
  }

  FetchEvent run() {
    take_stock();
    for (int tries = 0; !whole();) {
      const auto failure = attempt();
      if (!failure) break;
      if (have_ > most_) tries = 0;
      most_ = std::max(most_, have_);
      if (start_over_) {
        start_over_ = false;
        empty();
        continue;
      }
      if (!failure->worth_a_retry || ++tries >= most_tries)
        throw Failure(failure->text, false, failure->help);
      wait(tries, *failure);
    }
    return finish();
  }

 private:
  bool whole() const { return state_.complete; }

  /// What an earlier run has left: of use only where the rest can be had.
  void take_stock() {
    const bool local = is_local(job_.url);
    if (local) check_local(job_.url);
    const bool usable = state_.url == without_credentials(job_.url) &&
                        (!state_.total || have_ <= *state_.total) &&
                        (state_.complete ? state_.total == have_
                                         : resume_request(state_, have_, job_.verified).range);
    if (have_ > 0 && (!usable || (local && !state_.complete))) empty();
    if (have_ == 0) {
      state_ = {};
      return;
    }
    // Told as what it is, bytes that are there: they say nothing of how fast more will come.
    digest_file(digest_, part_fd, have_,
                [&](std::uint64_t /*done*/) { teller_.at(have_, state_.total); });
    most_ = start_ = have_;
  }

  void empty() {
    have_ = 0;
    first_.clear();
    state_ = {};
    cut(part_fd, 0);
    digest_.restart();
  }

  /// Nothing where the file is whole.
  std::optional<CurlFailure> attempt() {
    headers_ = {};
    begun_ = false;
    asked_ = resume_request(state_, have_, job_.verified);
    thrown_ = nullptr;
    last_byte_ = std::chrono::steady_clock::now();
    std::array<char, CURL_ERROR_SIZE> said{};
    std::unique_ptr<curl_slist, FreeList> lines;
    auto* const curl = curl_.get();
    curl_easy_reset(curl);
    set_usual_options(curl, job_);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, said.data());
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_came);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, body_came);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, time_passed);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    const auto range = std::to_string(have_) + '-';
    if (asked_.range) {
      curl_easy_setopt(curl, CURLOPT_RANGE, range.c_str());
      if (!asked_.if_range.empty()) {
        lines.reset(curl_slist_append(nullptr, ("If-Range: " + asked_.if_range).c_str()));
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
      }
    }
    const auto code = curl_easy_perform(curl);
    if (thrown_) std::rethrow_exception(thrown_);
    if (start_over_) return CurlFailure{};
    if (code == CURLE_HTTP_RETURNED_ERROR && asked_.range) {
      const auto answer = judge_answer(headers_, state_, have_);
      if (answer == Answer::complete) return std::nullopt;
      start_over_ = answer == Answer::anew;
      if (start_over_) return CurlFailure{};
    }
    if (code == CURLE_OK && (!state_.total || have_ >= *state_.total)) {
      // A file of no bytes has no body either.
      if (!begun_ && have_ == 0) throw Failure("it is empty", true);
      return std::nullopt;
    }
    auto failure = in_words(curl, in_effect(code), headers_, said.data(), job_);
    if (state_.total && have_ < *state_.total) failure.text += how_far();
    // A server that was never there is a wrong address; one that was comes back.
    if (failure.connection) failure.worth_a_retry = have_ > start_;
    return failure;
  }

  static CURLcode in_effect(CURLcode code) {
    if (code == CURLE_OK) return CURLE_PARTIAL_FILE;
    return code == CURLE_ABORTED_BY_CALLBACK ? CURLE_OPERATION_TIMEDOUT : code;
  }

  std::string how_far() const {
    return " (after " + format_size_rounded(have_) + " of " + format_size_rounded(*state_.total) +
           ')';
  }

  void begin() {
    begun_ = true;
    const auto answer = asked_.range ? judge_answer(headers_, state_, have_) : Answer::whole;
    if (answer == Answer::anew || answer == Answer::complete) {
      start_over_ = true;
      return;
    }
    if (answer == Answer::whole && have_ > 0) empty();
    state_.url = without_credentials(job_.url);
    state_.etag = headers_.etag();
    state_.modified = headers_.modified();
    if (answer == Answer::rest) {
      if (const auto& range = headers_.content_range(); range && range->total)
        state_.total = range->total;
    } else {
      state_.total = headers_.content_length();
      curl_off_t length = -1;
      if (!state_.total &&
          curl_easy_getinfo(curl_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
          length >= 0)
        state_.total = static_cast<std::uint64_t>(length);
    }
    if (state_.total) {
      if (*state_.total > job_.limit) refuse_for_limit(job_.limit);
      const auto rest = *state_.total - std::min(have_, *state_.total);
      if (const auto free = free_space_of(part_fd); rest > free) refuse_for_space(rest, free);
    }
    save_state();
  }

  /// Before the first byte it speaks of, so that no byte is ever taken for one of another file.
  void save_state() const {
    const auto text = to_json(state_);
    cut(second_fd, 0);
    write_at(second_fd, text, 0);
  }

  void take(std::string_view bytes) {
    if (!begun_) begin();
    if (start_over_) return;
    if (have_ + bytes.size() > job_.limit) refuse_for_limit(job_.limit);
    if (have_ == first_.size() && first_.size() < sniff_size) {
      first_ += bytes.substr(0, sniff_size - first_.size());
      if (first_.size() == sniff_size) check_first();
    }
    write_at(part_fd, bytes, have_);
    digest_.add(bytes.data(), bytes.size());
    have_ += bytes.size();
    last_byte_ = std::chrono::steady_clock::now();
    teller_.at(have_, state_.total);
  }

  void check_first() const {
    const auto found = sniff(first_, headers_.content_type());
    if (!found.refusal.empty()) throw Failure(found.refusal, true);
  }

  FetchEvent finish() {
    if (!whole()) {
      if (!first_.empty()) check_first();
      state_.complete = true;
      state_.total = have_;
      // What has to be unpacked goes when that is done.
      if (sniff(first_).packing == Packing::none) settle(part_fd);
      save_state();
    }
    FetchEvent event;
    event.kind = FetchEvent::Kind::done;
    event.have = have_;
    event.total = have_;
    event.digest = digest_.finish();
    return event;
  }

  void wait(int tries, const CurlFailure& failure) {
    FetchEvent event;
    event.kind = FetchEvent::Kind::retry;
    event.have = have_;
    event.total = state_.total;
    event.text = failure.text;
    constexpr std::chrono::milliseconds longest = std::chrono::minutes(1);
    event.wait = std::max(back_off(tries), std::min(failure.retry_after, longest));
    tell(event);
    std::this_thread::sleep_for(event.wait);
  }

  /// Nothing may be thrown through libcurl.
  template <class Work>
  bool guarded(const Work& work) {
    try {
      work();
      return !start_over_;
    } catch (...) {
      thrown_ = std::current_exception();
      return false;
    }
  }

  static std::size_t header_came(char* text, std::size_t size, std::size_t count, void* self) {
    auto& download = *static_cast<Download*>(self);
    return download.guarded([&] {
      download.headers_.line({text, size * count});
    })
               ? size * count
               : 0;
  }
  static std::size_t body_came(char* text, std::size_t size, std::size_t count, void* self) {
    auto& download = *static_cast<Download*>(self);
    return download.guarded([&] { download.take({text, size * count}); }) ? size * count : 0;
  }
  static int time_passed(void* self, curl_off_t /*total*/, curl_off_t /*now*/,
                         curl_off_t /*up_total*/, curl_off_t /*up*/) {
    auto& download = *static_cast<Download*>(self);
    download.teller_.at(download.have_, download.state_.total);
    // libcurl's own limit looks at an average of several seconds.
    const auto silence = std::chrono::steady_clock::now() - download.last_byte_;
    return silence < download.job_.patience ? 0 : 1;
  }

  const FetchJob& job_;
  std::unique_ptr<CURL, FreeCurl> curl_;
  Digest digest_;
  Teller teller_;
  PartState state_;
  std::uint64_t have_ = 0;   // bytes in the file, all of them in the digest
  std::uint64_t most_ = 0;   // that there ever were
  std::uint64_t start_ = 0;  // that were there before
  std::string first_;

  // Of one request.
  ResumeRequest asked_;
  ResponseHeaders headers_;
  bool begun_ = false;
  bool start_over_ = false;
  std::chrono::steady_clock::time_point last_byte_;
  std::exception_ptr thrown_;
};

}  // namespace

FetchEvent download(const FetchJob& job) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return Download(job).run();
}

}  // namespace qlaunch::fetch
