// SPDX-License-Identifier: MIT
#include "image/pull.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/paths.hpp"
#include "image/convert.hpp"
#include "image/fetch_helper.hpp"

#include <array>
#include <ctime>

#include <poll.h>
#include <unistd.h>

namespace qlaunch {
namespace {

constexpr int look_again = 100;  // milliseconds, while another command downloads

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text.data();
}

std::string start_of(int fd) {
  std::string bytes(image_header_size, '\0');
  const auto count = pread(fd, bytes.data(), bytes.size(), 0);
  bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return bytes;
}

/// The bytes on their way from the part to the image.
struct Content {
  int fd = -1;
  ImageKind kind = ImageKind::raw;
  std::string digest;
  std::uint64_t size = 0;
  std::string how = "as downloaded";
};

class Pull {
 public:
  Pull(const std::string& cache, const PullWant& want, const PullHooks& hooks)
      : want_(want), hooks_(hooks), store_(cache), shown_(want.name) {
    if (want_.limit == 0) want_.limit = usual_limit;
    want_.digest = lower_ascii(want_.digest);
    if (want_.algorithm.empty()) want_.algorithm = "sha512";
    if (shown_.empty()) shown_ = without_credentials(want_.url);
    name_ = {want_.algorithm, want_.digest, want_.format};
  }

  Pulled run() {
    make_private_folder(store_.folder());
    if (there()) return result(true);
    store_.tidy();
    auto part = take_part();
    if (there()) {  // whoever had the part has brought it
      part.remove_if_empty();
      return result(true);
    }
    fetch(part);
    auto content = downloaded(part);
    if (want_.digest.empty() && !want_.insecure) {
      examine(part, content);
      auto pulled = result(false);
      pulled.kept = false;
      return pulled;
    }
    keep(part, content);
    return result(false);
  }

 private:
  Pulled result(bool was_there) const { return {name_, store_.path(name_), was_there, true}; }

  bool there() const {
    if (name_.digest.empty()) return false;
    ImageWatch watch;
    watch.progress = [&](std::uint64_t have, std::uint64_t total) {
      tell(PullProgress::What::checks, have, total);
    };
    watch.interrupted = hooks_.interrupted;
    return store_.look(name_, watch) == ImageStore::State::good;
  }

  void tell(PullProgress::What what, std::uint64_t have, std::optional<std::uint64_t> total) const {
    hooks_.progress({what, want_.name.empty() ? file_in_url(want_.url) : want_.name, have, total});
  }

  Part take_part() const {
    const auto stem = store_.stem(want_.url);
    bool said = false;
    for (;;) {
      if (auto part = Part::take(stem)) return std::move(*part);
      if (hooks_.interrupted()) throw Error("interrupted");
      if (!said)
        hooks_.step("another command is downloading " + in_backticks(shown_) + ": waiting for it");
      said = true;
      const auto other = look_at_part(stem);
      tell(PullProgress::What::waits, other.have, other.state.total);
      poll(nullptr, 0, look_again);
    }
  }

  /// Downloads what is missing. Bytes of an earlier try that turn out to be others go, once.
  void fetch(Part& part) {
    const bool resumed = part.size() > 0;
    auto last = download(part);
    if (!want_.digest.empty() && last.digest != want_.digest && resumed) {
      hooks_.step("what an earlier download has left does not fit: starting over");
      if (ftruncate(part.fd(), 0) != 0)
        throw Error("cannot start over with " + in_backticks(part.path()));
      last = download(part);
    }
    if (!want_.digest.empty() && last.digest != want_.digest) {
      part.remove();
      throw Error("what was downloaded as " + in_backticks(shown_) +
                  " has another digest than it should: it is refused")
          .help("wanted " + want_.algorithm + ' ' + want_.digest)
          .help("it has " + want_.algorithm + ' ' + last.digest)
          .help(
              "compare with what its publisher gives: the file may have been replaced there, or "
              "altered on its way");
    }
    name_.digest = digest_ = last.digest;
    size_ = last.have;
  }

  FetchEvent download(Part& part) {
    FetchJob job;
    job.kind = FetchJob::Kind::download;
    job.algorithm = want_.algorithm;
    job.limit = want_.limit;
    job.url = want_.url;
    job.verified = !want_.digest.empty();
    job.part = part.state();
    job.patience = want_.patience;
    FetchEvent last;
    try {
      last = run(job, {part.fd(), part.state_fd()}, PullProgress::What::downloads);
    } catch (...) {
      part.remove_if_empty();
      throw;
    }
    if (last.kind == FetchEvent::Kind::done) return last;
    if (last.refused) part.remove();
    part.remove_if_empty();
    fail("cannot download", last);
  }

  FetchEvent run(const FetchJob& job, const FetchFiles& files, PullProgress::What what) const {
    const auto told = [&](const FetchEvent& event) {
      if (event.kind == FetchEvent::Kind::retry)
        hooks_.step(event.text + "; trying again in " + format_duration(event.wait));
      tell(what, event.have, event.total);
    };
    return run_fetch(job, files, told, hooks_.interrupted);
  }

  [[noreturn]] void fail(const std::string& what, const FetchEvent& event) const {
    Error error((event.refused ? in_backticks(shown_) + " is refused: "
                               : what + ' ' + in_backticks(shown_) + ": ") +
                printable(event.text));
    if (!event.help.empty()) error.help(event.help);
    throw error;
  }

  [[noreturn]] void refuse(Part& part, const std::string& why) const {
    part.remove();
    throw Error(in_backticks(shown_) + " is refused: " + why);
  }

  Content downloaded(const Part& part) const {
    Content content;
    content.fd = part.fd();
    content.digest = digest_;
    content.size = size_;
    return content;
  }

  /// What it is; refused where it is no image that can be used.
  Packing examine(Part& part, Content& content) const {
    const auto start = start_of(content.fd);
    const auto found = sniff(start);
    if (!found.refusal.empty()) refuse(part, found.refusal);
    if (found.packing != Packing::none) return found.packing;
    content.kind = found.kind;
    if (const auto danger = image_danger(content.kind, start)) refuse(part, *danger);
    return Packing::none;
  }

  void keep(Part& part, Content& content) {
    const auto stem = store_.stem(want_.url);
    std::optional<FreshFile> unpacked, converted;
    if (const auto packing = examine(part, content); packing != Packing::none) {
      unpack(part, packing, unpacked.emplace(stem), content);
      if (examine(part, content) != Packing::none) refuse(part, "it is packed more than once");
    }
    const bool same = (content.kind == ImageKind::raw && want_.format == DiskFormat::raw) ||
                      (content.kind == ImageKind::qcow2 && want_.format == DiskFormat::qcow2);
    ConvertWatch watch;
    watch.progress = [&](double percent) {
      tell(PullProgress::What::converts, static_cast<std::uint64_t>(percent * 100), 100 * 100);
    };
    watch.interrupted = hooks_.interrupted;
    if (!same) {
      convert(part, converted.emplace(stem), content, watch);
    } else if (want_.digest.empty() && content.kind == ImageKind::qcow2) {
      // Nobody else would see that its end is missing.
      by_qemu_img(part, [&] { check_qcow2(content.fd, watch); });
    }
    ImageRecord record;
    record.url = without_credentials(want_.url);
    record.digest = content.digest;
    record.downloaded = size_;
    record.stored = content.size;
    record.time = now_text();
    record.how = content.how;
    record.verified = !want_.digest.empty();
    if (hooks_.interrupted()) throw Error("interrupted");
    if (content.fd == part.fd()) {
      store_.keep(name_, record, part);
      return;
    }
    store_.keep(name_, record, converted ? *converted : *unpacked);
    part.remove();
  }

  void unpack(Part& part, Packing packing, FreshFile& into, Content& content) const {
    FetchJob job;
    job.kind = FetchJob::Kind::unpack;
    job.algorithm = want_.algorithm;
    job.limit = want_.limit;
    job.packing = packing;
    const auto last = run(job, {part.fd(), into.fd()}, PullProgress::What::unpacks);
    if (last.kind != FetchEvent::Kind::done) {
      if (last.refused) part.remove();
      fail("cannot unpack", last);
    }
    content = {into.fd(), ImageKind::raw, last.digest, last.have,
               std::string(packing_word(packing)) + ", unpacked"};
  }

  void convert(Part& part, FreshFile& into, Content& content, const ConvertWatch& watch) const {
    by_qemu_img(part,
                [&] { convert_image(content.fd, content.kind, into.fd(), want_.format, watch); });
    fdatasync(into.fd());
    FetchJob job;
    job.algorithm = want_.algorithm;
    const auto last = run(job, {into.fd(), -1}, PullProgress::What::checks);
    if (last.kind != FetchEvent::Kind::done) fail("cannot read", last);
    const auto before = content.how == "as downloaded" ? std::string() : content.how + ", ";
    content = {into.fd(), want_.format == DiskFormat::qcow2 ? ImageKind::qcow2 : ImageKind::raw,
               last.digest, last.have,
               before + "converted from " + std::string(kind_word(content.kind))};
  }

  /// What qemu-img cannot read is refused; a disk that fills up is no fault of the image's.
  template <class Work>
  void by_qemu_img(Part& part, const Work& work) const {
    try {
      work();
    } catch (const Error& error) {
      const std::string why = error.what();
      if (hooks_.interrupted() || why.find("not installed") != std::string::npos) throw;
      if (why.find("No space left") != std::string::npos)
        throw Error("cannot convert " + in_backticks(shown_) + ": the disk is full (" +
                    format_size_rounded(free_space(store_.folder())) + " are free)")
            .help("`qlaunch image prune` removes images that no VM needs");
      refuse(part, why);
    }
  }

  PullWant want_;
  const PullHooks& hooks_;
  ImageStore store_;
  std::string shown_;
  ImageName name_;
  std::string digest_;  // of what was downloaded
  std::uint64_t size_ = 0;
};

}  // namespace

Pulled pull_image(const std::string& cache, const PullWant& want, const PullHooks& hooks) {
  return Pull(cache, want, hooks).run();
}

}  // namespace qlaunch
