// SPDX-License-Identifier: MIT
// Resuming a download as far as it is a matter of words: headers, ranges, tries.
#include "image/http_parts.hpp"

#include "host/own_programs.hpp"
#include "image/fetch_job.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace qlaunch;

namespace {

ResponseHeaders headers(const std::vector<std::string>& lines) {
  ResponseHeaders out;
  for (const auto& line : lines) out.line(line + "\r\n");
  return out;
}

PartState state(std::uint64_t total) {
  return {"http://h/f", "\"a\"", "", total, false};
}

}  // namespace

TEST_CASE("headers: the last response counts, and where the others led is kept") {
  const auto all = headers({"HTTP/1.1 302 Found", "ETag: \"redirect\"", "Location: /b",
                            "Content-Length: 7", "", "HTTP/1.1 200 OK", "Content-Length: 1000",
                            "content-type: text/html; charset=x", "LAST-MODIFIED: Mon", ""});
  CHECK(all.status() == 200);
  CHECK(all.etag().empty());
  CHECK(all.content_length() == 1000);
  CHECK(all.content_type() == "text/html; charset=x");
  CHECK(all.modified() == "Mon");
  CHECK(all.locations() == std::vector<std::string>{"/b"});
  CHECK_FALSE(all.loops());
}

TEST_CASE("headers: a weak tag says nothing of the bytes") {
  CHECK(headers({"HTTP/2 200", "etag: W/\"x\""}).etag().empty());
  CHECK(headers({"HTTP/2 200", "etag: \"x\""}).etag() == "\"x\"");
}

TEST_CASE("headers: ranges in all their forms, and nonsense") {
  const auto range = [](const std::string& text) {
    return headers({"HTTP/1.1 206 x", "Content-Range: " + text}).content_range();
  };
  CHECK(range("bytes 5-9/10")->first == 5U);
  CHECK(range("bytes 5-9/10")->total == 10U);
  CHECK_FALSE(range("bytes 5-9/*")->total);
  CHECK_FALSE(range("bytes */10")->first);
  CHECK_FALSE(range("lines 1-2/3"));
  CHECK_FALSE(range("bytes 5"));
  CHECK_FALSE(
      headers({"HTTP/1.1 200 OK", "Content-Length: 99999999999999999999"}).content_length());
}

TEST_CASE("headers: a place that comes twice is a loop") {
  auto all = headers({"HTTP/1.1 302 F", "Location: /b", "", "HTTP/1.1 302 F", "Location: /a"});
  CHECK_FALSE(all.loops());
  all.line("HTTP/1.1 302 F\r\n");
  all.line("Location: /b\r\n");
  CHECK(all.loops());
}

TEST_CASE("resume: only where something shows that it is still the same file") {
  CHECK_FALSE(resume_request(state(10), 0, true).range);
  CHECK(resume_request(state(10), 5, false).range);
  CHECK(resume_request(state(10), 5, false).if_range == "\"a\"");
  PartState dated{"http://h/f", "", "Mon, 1 Jan", 10, false};
  CHECK(resume_request(dated, 5, false).if_range == "Mon, 1 Jan");
  PartState nameless{"http://h/f", "", "", 10, false};
  CHECK_FALSE(resume_request(nameless, 5, false).range);
  // The digest will show it.
  CHECK(resume_request(nameless, 5, true).range);
  CHECK(resume_request(nameless, 5, true).if_range.empty());
}

TEST_CASE("resume: what the answer to a range means") {
  const auto judge = [](const std::vector<std::string>& lines) {
    return judge_answer(headers(lines), state(10), 5);
  };
  CHECK(judge({"HTTP/1.1 206 P", "Content-Range: bytes 5-9/10"}) == Answer::rest);
  CHECK(judge({"HTTP/1.1 206 P", "Content-Range: bytes 5-9/*"}) == Answer::rest);
  // Another place, another size, or none: bytes that do not belong behind ours.
  CHECK(judge({"HTTP/1.1 206 P", "Content-Range: bytes 0-9/10"}) == Answer::anew);
  CHECK(judge({"HTTP/1.1 206 P", "Content-Range: bytes 5-10/11"}) == Answer::anew);
  CHECK(judge({"HTTP/1.1 206 P"}) == Answer::anew);
  CHECK(judge({"HTTP/1.1 200 OK"}) == Answer::whole);
  CHECK(judge({"HTTP/1.1 416 R", "Content-Range: bytes */8"}) == Answer::anew);
  CHECK(judge_answer(headers({"HTTP/1.1 416 R", "Content-Range: bytes */10"}), state(10), 10) ==
        Answer::complete);
  // It promised more than it has.
  CHECK(judge_answer(headers({"HTTP/1.1 416 R", "Content-Range: bytes */10"}), state(15), 10) ==
        Answer::anew);
}

TEST_CASE("retries: longer and longer, and only what may pass") {
  using std::chrono::milliseconds;
  CHECK(back_off(1) == milliseconds(500));
  CHECK(back_off(2) == milliseconds(1000));
  CHECK(back_off(4) == milliseconds(4000));
  for (const int status : {429, 500, 502, 503, 504}) CHECK(worth_retrying(status));
  for (const int status : {400, 401, 403, 404, 410, 501}) CHECK_FALSE(worth_retrying(status));
}

TEST_CASE("credentials leave a URL before it is written down") {
  CHECK(without_credentials("https://me:secret@host/a@b") == "https://host/a@b");
  CHECK(without_credentials("https://me@host") == "https://host");
  CHECK(without_credentials("https://host/a@b?c@d") == "https://host/a@b?c@d");
  CHECK(without_credentials("https://a@b@host/") == "https://host/");
  CHECK(without_credentials("file:///a@b") == "file:///a@b");
}

TEST_CASE("part state: as it was written, or nothing") {
  PartState one{"http://h/\"f\"", "\"tag\"", "Mon", 1234567890123, true};
  CHECK(parse_part_state(to_json(one)) == one);
  one.total.reset();
  CHECK(parse_part_state(to_json(one)) == one);
  const auto text = to_json(one);
  for (std::size_t length = 0; length + 1 < text.size(); ++length)
    CHECK_FALSE(parse_part_state(text.substr(0, length)));
  for (const auto* wrong : {"[]", "{}", "{\"url\":1}", "{\"url\":\"x\",\"total\":\"y\"}", "\xff"})
    CHECK_FALSE(parse_part_state(wrong));
}

TEST_CASE("helper: jobs and events survive their line, nonsense does not pass") {
  FetchJob job;
  job.kind = FetchJob::Kind::unpack;
  job.algorithm = "sha256";
  job.limit = 1;
  job.url = "http://h/\n";
  job.verified = true;
  job.part = state(7);
  job.patience = std::chrono::milliseconds(5);
  job.packing = Packing::xz;
  const auto line = to_line(job);
  CHECK(line.find('\n') == line.size() - 1);
  const auto back = parse_job(line);
  REQUIRE(back);
  CHECK(back->kind == job.kind);
  CHECK(back->algorithm == "sha256");
  CHECK(back->limit == 1);
  CHECK(back->url == job.url);
  CHECK(back->verified);
  CHECK(back->part == job.part);
  CHECK(back->patience == job.patience);
  CHECK(back->packing == Packing::xz);

  FetchEvent event;
  event.text = "line\none";
  event.refused = true;
  const auto told = parse_event(to_line(event));
  REQUIRE(told);
  CHECK(told->kind == FetchEvent::Kind::failed);
  CHECK(told->text == event.text);
  CHECK(told->refused);
  CHECK_FALSE(told->total);
  for (const auto* wrong : {"", "x", "{}", "{\"event\":\"dance\",\"have\":1}", "[1]", "3"}) {
    CHECK_FALSE(parse_event(wrong));
    CHECK_FALSE(parse_job(wrong));
  }
}

TEST_CASE("helper: looked for beside the program, then where it is installed") {
  const auto places = own_program_places("fetch", "/x/bin");
  CHECK(places.front() == "/x/bin/fetch/qlaunch-fetch");
  CHECK(std::find(places.begin(), places.end(), "/x/bin/qlaunch-fetch") != places.end());
  CHECK(std::find(places.begin(), places.end(), "/x/libexec/qlaunch-fetch") != places.end());
}
