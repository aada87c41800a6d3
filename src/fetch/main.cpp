// SPDX-License-Identifier: MIT
// qlaunch-fetch: started by qlaunch alone, see image/fetch_job.hpp.
#include "fetch/digest.hpp"
#include "fetch/jobs.hpp"
#include "fetch/output.hpp"

#include <csignal>
#include <exception>
#include <iostream>
#include <string>

#include <unistd.h>

namespace qlaunch::fetch {

FetchEvent digest(const FetchJob& job) {
  const auto size = size_of(part_fd);
  Digest digest(job.algorithm);
  Teller teller;
  digest_file(digest, part_fd, size, [&](std::uint64_t done) { teller.at(done, size); });
  FetchEvent event;
  event.kind = FetchEvent::Kind::done;
  event.have = size;
  event.digest = digest.finish();
  return event;
}

namespace {

FetchEvent perform(const FetchJob& job) {
  switch (job.kind) {
    case FetchJob::Kind::download:
      return download(job);
    case FetchJob::Kind::unpack:
      return unpack(job);
    case FetchJob::Kind::digest:
      break;
  }
  return digest(job);
}

int work() {
  if (isatty(STDIN_FILENO) == 1) {
    std::cerr << "qlaunch-fetch is a part of qlaunch, which starts it by itself; see "
                 "`qlaunch image --help`\n";
    return 2;
  }
  std::string line;
  std::getline(std::cin, line);
  FetchEvent failed;
  try {
    const auto job = parse_job(line);
    if (!job) throw Failure("qlaunch-fetch does not understand this job");
    tell(perform(*job));
    return 0;
  } catch (const Failure& failure) {
    failed.text = failure.what();
    failed.help = failure.help();
    failed.refused = failure.refused();
  } catch (const std::exception& failure) {
    failed.text = failure.what();
  }
  tell(failed);
  return 1;
}

}  // namespace
}  // namespace qlaunch::fetch

int main() {
  // Nobody reading any more is seen where it is written.
  std::signal(SIGPIPE, SIG_IGN);
  return qlaunch::fetch::work();
}
