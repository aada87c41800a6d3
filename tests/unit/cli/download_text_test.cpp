// SPDX-License-Identifier: MIT
// The line that shows how far a download is.
#include "cli/download_text.hpp"

#include "core/text.hpp"

#include <doctest/doctest.h>

using namespace qlaunch;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr std::uint64_t mb = mib;
const TransferRate::Time start{};

PullProgress progress(std::uint64_t have, std::optional<std::uint64_t> total,
                      const std::string& name = "debian") {
  return {PullProgress::What::downloads, name, have, total};
}

}  // namespace

TEST_CASE("rate: nothing at first, then bytes a second of the last seconds") {
  TransferRate rate;
  CHECK_FALSE(rate.per_second());
  rate.add(start, 0);
  rate.add(start + milliseconds(100), 10 * mb);
  CHECK_FALSE(rate.per_second());
  rate.add(start + seconds(1), 10 * mb);
  CHECK(*rate.per_second() == doctest::Approx(10.0 * mb));
  // Ten seconds without a byte.
  for (int second = 2; second < 12; ++second) rate.add(start + seconds(second), 10 * mb);
  CHECK(*rate.per_second() == doctest::Approx(0));
  // It starts over: what was before does not count.
  rate.add(start + seconds(12), 0);
  CHECK_FALSE(rate.per_second());
}

TEST_CASE("text: everything where there is room, then without the bar, then the name gives way") {
  const auto half = progress(50 * mb, 100 * mb);
  CHECK(download_text(half, 10.0 * mb, 99) ==
        "  debian  50% [##########..........]  50 MiB of 100 MiB  10 MiB/s  6s left");
  CHECK(download_text(half, 10.0 * mb, 60) ==
        "  debian  50%  50 MiB of 100 MiB  10 MiB/s  6s left");
  CHECK(download_text(half, 10.0 * mb, 40) == "  debian  50%  10 MiB/s  6s left");
  const auto longer = progress(50 * mb, 100 * mb, std::string(80, 'x'));
  for (const std::size_t room : {39U, 59U, 79U, 99U})
    CHECK(static_cast<std::size_t>(display_width(download_text(longer, 10.0 * mb, room))) <= room);
  CHECK(download_text(longer, 10.0 * mb, 59).ends_with("50%  10 MiB/s  6s left"));
}

TEST_CASE("text: what is not known is not shown") {
  CHECK(download_text(progress(5 * mb, {}), {}, 79) == "  debian  5 MiB");
  CHECK(download_text(progress(5 * mb, {}), 1.0 * mb, 79) == "  debian  5 MiB  1 MiB/s");
  CHECK(download_text(progress(0, 0), {}, 79) == "  debian  0 bytes of 0 bytes");
  // Nothing comes: no time left can be told.
  CHECK(download_text(progress(mb, 2 * mb), 0.0, 79).find("left") == std::string::npos);
  const auto all = download_text(progress(2 * mb, 2 * mb), 1.0 * mb, 79);
  CHECK(all.find("100% [####################]") != std::string::npos);
  CHECK(all.find("left") == std::string::npos);
}

TEST_CASE("text: long waits, other work, and names that would move the cursor") {
  CHECK(download_text(progress(0, 3600 * mb), 1.0 * mb, 99).ends_with("1h left"));
  CHECK(download_text(progress(0, 3700 * mb), 1.0 * mb, 99).ends_with("1h1m left"));
  PullProgress work{PullProgress::What::converts, "debian", 2500, 10000};
  CHECK(download_text(work, {}, 60) == "  converting debian  25% [#####...............]");
  work.what = PullProgress::What::unpacks;
  CHECK(download_text(work, {}, 79).starts_with("  unpacking debian  25%"));
  CHECK(download_text(progress(1, 2, "a\x1b[2Jb"), {}, 99).find('\x1b') == std::string::npos);
}

TEST_CASE("several at once share the line") {
  Downloads all;
  all.text(progress(10, 100, "a"), start, 79);
  CHECK(all.text(progress(50, 100, "b"), start, 79) == "  a 10%, b 50%");
  // One that is done is said no more.
  CHECK(all.text(progress(60, 100, "b"), start + seconds(6), 79).starts_with("  b  60% ["));
}
