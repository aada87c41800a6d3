// SPDX-License-Identifier: MIT
// How libcurl is set up for a download, and its failures in words. Transfers nothing.
#pragma once

#include "image/fetch_job.hpp"

#include <chrono>
#include <string>

#include <curl/curl.h>

namespace qlaunch::fetch {

constexpr long most_redirects = 10;

struct CurlFailure {
  std::string text, help;
  bool worth_a_retry = false;
  bool connection = false;  // nobody was reached at all
  std::chrono::milliseconds retry_after{0};
};

bool is_local(const std::string& url);
/// Throws where the file that the URL names is none.
void check_local(const std::string& url);

void set_usual_options(CURL* curl, const FetchJob& job);

/// `said`: libcurl's own words, where it has some.
CurlFailure in_words(CURL* curl, CURLcode code, const ResponseHeaders& headers,
                     const std::string& said, const FetchJob& job);

}  // namespace qlaunch::fetch
