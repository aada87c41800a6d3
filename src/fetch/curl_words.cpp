// SPDX-License-Identifier: MIT
#include "fetch/curl_words.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "fetch/output.hpp"

#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include <sys/stat.h>

namespace qlaunch::fetch {
namespace {

constexpr long receive_size = 512L << 10;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct FreeText {
  void operator()(char* text) const { curl_free(text); }
};

std::string part_of(const std::string& text, CURLUPart part) {
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  char* found = nullptr;
  if (!url || curl_url_set(url.get(), CURLUPART_URL, text.c_str(), 0) != CURLUE_OK ||
      curl_url_get(url.get(), part, &found, CURLU_URLDECODE) != CURLUE_OK)
    return {};
  const std::unique_ptr<char, FreeText> owner(found);
  return found;
}

std::string host_of(CURL* curl, const FetchJob& job) {
  char* last = nullptr;
  curl_easy_getinfo(curl, CURLINFO_EFFECTIVE_URL, &last);
  return in_backticks(part_of(last == nullptr ? job.url : std::string(last), CURLUPART_HOST));
}

std::string_view status_word(int status) {
  switch (status) {
    case 401:
      return " (it wants a password)";
    case 403:
      return " (forbidden)";
    case 404:
      return " (not found)";
    case 407:
      return " (the proxy wants a password)";
    case 410:
      return " (gone)";
    case 429:
      return " (too many requests)";
    case 503:
      return " (not available)";
    default:
      return status >= 500 ? " (a failure of its own)" : "";
  }
}

}  // namespace

bool is_local(const std::string& url) {
  return lower_ascii(url.substr(0, 7)) == "file://";
}

void check_local(const std::string& url) {
  const auto path = part_of(url, CURLUPART_PATH);
  if (path.empty()) throw Failure("it is not a URL of a file of this host");
  struct stat status {};
  if (stat(path.c_str(), &status) != 0)
    throw Failure("file " + in_backticks(path) + ": " + errno_text(errno));
  if (S_ISDIR(status.st_mode)) throw Failure(in_backticks(path) + " is a folder");
  if (!S_ISREG(status.st_mode)) throw Failure(in_backticks(path) + " is no file");
}

void set_usual_options(CURL* curl, const FetchJob& job) {
  const bool local = is_local(job.url);
  curl_easy_setopt(curl, CURLOPT_URL, job.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, local ? "file" : "http,https");
  // Without a digest nothing but TLS shows that the bytes are the server's.
  const bool secure = lower_ascii(job.url.substr(0, 8)) == "https://" && !job.verified;
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, most_redirects);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "qlaunch");
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, receive_size);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(job.patience.count()));
  // As the program curl does.
  for (const char* name : {"CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* file = std::getenv(name);
    if (file == nullptr || *file == '\0') continue;
    curl_easy_setopt(curl, CURLOPT_CAINFO, file);
    break;
  }
}

CurlFailure in_words(CURL* curl, CURLcode code, const ResponseHeaders& headers,
                     const std::string& said, const FetchJob& job) {
  CurlFailure failure;
  const auto host = host_of(curl, job);
  switch (code) {
    case CURLE_HTTP_RETURNED_ERROR: {
      failure.text = "the server answers " + std::to_string(headers.status()) +
                     std::string(status_word(headers.status()));
      failure.worth_a_retry = worth_retrying(headers.status());
      curl_off_t seconds = 0;
      if (curl_easy_getinfo(curl, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK)
        failure.retry_after = std::chrono::seconds(seconds);
      break;
    }
    case CURLE_TOO_MANY_REDIRECTS:
      failure.text =
          headers.loops()
              ? "the server leads round in a loop: " + in_backticks(headers.locations().back()) +
                    " comes again"
              : "the server leads on more than " + std::to_string(most_redirects) + " times";
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:
      failure.text = headers.locations().empty()
                         ? "the URL is neither http, https nor file"
                         : "the server leads to " + in_backticks(headers.locations().back()) +
                               ", which is not followed";
      if (!headers.locations().empty() && !job.verified &&
          lower_ascii(headers.locations().back()).starts_with("http://"))
        failure.help = "from https to http only where a digest says what the file is";
      break;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      failure.text = code == CURLE_COULDNT_RESOLVE_PROXY ? "the proxy's name is not known"
                                                         : "host " + host + " is not known";
      failure.connection = true;
      break;
    case CURLE_COULDNT_CONNECT:
      failure.text = said.empty() ? "cannot connect to " + host : said;
      failure.connection = true;
      break;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      failure.text = "the certificate of " + host + " is not trusted";
      if (!said.empty()) failure.text += ": " + said;
      failure.help = "CURL_CA_BUNDLE=FILE names the certificates to trust";
      break;
    case CURLE_OPERATION_TIMEDOUT:
      failure.text = "nothing has come for " + format_duration(job.patience);
      failure.worth_a_retry = true;
      break;
    case CURLE_PARTIAL_FILE:
      failure.text = "the server ended the transfer too early";
      failure.worth_a_retry = true;
      break;
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      failure.text = said.empty() ? curl_easy_strerror(code) : said;
      failure.worth_a_retry = true;
      break;
    default:
      failure.text = said.empty() ? curl_easy_strerror(code) : said;
      break;
  }
  if (!failure.text.empty() && std::isupper(static_cast<unsigned char>(failure.text[0])) != 0)
    failure.text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(failure.text[0])));
  return failure;
}

}  // namespace qlaunch::fetch
