// SPDX-License-Identifier: MIT
#include "image/qemu_img.hpp"

#include "core/error.hpp"
#include "host/scratch.hpp"
#include "image/image_locks.hpp"

#include <vector>

using namespace qlaunch;

TEST_CASE("info: a chain with a snapshot below, as qemu-img 7.2 tells it") {
  const auto all = parse_image_info(R"([
    {"backing-filename-format": "qcow2", "virtual-size": 67108864, "filename": "/d/b.qcow2",
     "cluster-size": 65536, "format": "qcow2", "actual-size": 200704,
     "format-specific": {"type": "qcow2", "data": {"compat": "1.1", "corrupt": false}},
     "full-backing-filename": "/d/a.qcow2", "backing-filename": "a.qcow2", "dirty-flag": false},
    {"snapshots": [{"icount": 0, "vm-clock-nsec": 0, "name": "before upgrade", "date-sec": 1795177343,
                    "date-nsec": 422400000, "vm-clock-sec": 0, "id": "7", "vm-state-size": 4096}],
     "virtual-size": 33554432, "filename": "/d/a.qcow2", "format": "qcow2", "actual-size": 1323008,
     "format-specific": {"type": "qcow2", "data": {"compat": "0.10", "corrupt": true}},
     "dirty-flag": true}])");
  REQUIRE(all.size() == 2);
  CHECK(all[0].path == "/d/b.qcow2");
  CHECK(all[0].format == "qcow2");
  CHECK(all[0].virtual_size == 67108864);
  CHECK(all[0].allocated_size == 200704);
  CHECK(all[0].backing == "/d/a.qcow2");
  CHECK(all[0].backing_format == "qcow2");
  CHECK(all[0].snapshots.empty());
  CHECK_FALSE(all[0].dirty);
  CHECK_FALSE(all[0].corrupt);
  CHECK_FALSE(all[0].version_2);
  CHECK(all[1].backing.empty());
  CHECK(all[1].dirty);
  CHECK(all[1].corrupt);
  CHECK(all[1].version_2);
  REQUIRE(all[1].snapshots.size() == 1);
  CHECK(all[1].snapshots[0] == ImageSnapshot{"7", "before upgrade", 4096, 1795177343, 422400000});
}

TEST_CASE("info: one image alone, and what is no answer") {
  const auto raw = parse_image_info(
      R"({"virtual-size": 512, "filename": "/d/r", "format": "raw", "actual-size": 0})");
  REQUIRE(raw.size() == 1);
  CHECK(raw[0].format == "raw");
  CHECK(raw[0].virtual_size == 512);
  CHECK_THROWS_AS(parse_image_info(""), Error);
  CHECK_THROWS_AS(parse_image_info("{}"), Error);
  CHECK_THROWS_AS(parse_image_info(R"({"filename": 3, "format": "raw", "virtual-size": 1})"),
                  Error);
}

TEST_CASE("check: what is not told is none") {
  const auto whole = parse_image_check(R"({"image-end-offset": 1507328, "check-errors": 0})");
  CHECK(whole.whole());
  CHECK(whole.leaks == 0);
  const auto broken =
      parse_image_check(R"({"check-errors": 0, "corruptions": 2, "leaks": 3, "leaks-fixed": 4})");
  CHECK_FALSE(broken.whole());
  CHECK(broken.corruptions == 2);
  CHECK(broken.leaks == 3);
  CHECK(broken.leaks_fixed == 4);
  CHECK_FALSE(parse_image_check(R"({"check-errors": 1})").whole());
  CHECK_THROWS_AS(parse_image_check("No errors were found"), Error);
}

TEST_CASE("the reason of a failure is one line, said once") {
  CHECK(reason_of_qemu_img("qemu-img: Could not open '/x': Could not open '/x': No such file or "
                           "directory\n") == "Could not open '/x': No such file or directory");
  CHECK(reason_of_qemu_img("qemu-img: Could not open '/x': Failed to get shared \"write\" lock\n"
                           "Is another process using the image [/x]?\n") ==
        "Could not open '/x': Failed to get shared \"write\" lock");
  CHECK(reason_of_qemu_img("qemu-img: warning: Shrinking\nqemu-img: Use the --shrink option\n") ==
        "Use the --shrink option");
  CHECK(reason_of_qemu_img("").empty());
}

TEST_CASE("a real qemu-img: made, looked at, checked, and refused in words") {
  const QemuImg qemu_img;
  const test::Folder folder;
  const auto base = folder / "base: 1.qcow2";  // a colon is no protocol here
  const auto overlay = folder / "overlay.qcow2";
  qemu_img.run({"create", "-q", "-f", "qcow2", base, "1M"}, "cannot make it", base);
  qemu_img.run({"snapshot", "-c", "tag", base}, "cannot", base);
  qemu_img.run({"create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay}, "cannot",
               overlay);
  const auto chain = qemu_img.chain(overlay);
  REQUIRE(chain.size() == 2);
  CHECK(chain[0].backing == base);
  CHECK(chain[1].path == base);
  REQUIRE(chain[1].snapshots.size() == 1);
  CHECK(chain[1].snapshots[0].tag == "tag");
  CHECK(qemu_img.info(overlay, "raw").backing.empty());
  CHECK(qemu_img.check(base).whole());
  CHECK(qemu_img.check(folder.write("raw", "12345"), "raw").whole());
  CHECK(test::error_of([&] { qemu_img.info(folder / "none"); }) ==
        "cannot read `" + (folder / "none") + "`: Could not open '" + (folder / "none") +
            "': No such file or directory");
  CHECK(test::error_of([&] {
          qemu_img.check(folder.write("junk", "QFI\xfb junk"), "qcow2");
        }).starts_with("cannot check `" + (folder / "junk") + "`: "));

  std::vector<double> told;
  ImageWork work;
  work.progress = [&](double percent) { told.push_back(percent); };
  qemu_img.run({"convert", "-O", "raw", base, folder / "copy"}, "cannot copy", base, work);
  REQUIRE_FALSE(told.empty());
  CHECK(told.back() == 100);
  CHECK(std::is_sorted(told.begin(), told.end()));
  work.interrupted = [] { return true; };
  CHECK(test::error_of([&] {
          qemu_img.run({"convert", "-O", "raw", base, folder / "copy"}, "cannot copy", base, work);
        }) == "interrupted");

  CHECK(test::error_of([] { QemuImg("/nowhere/qemu-img").info("/x"); }).find("/nowhere/qemu-img") !=
        std::string::npos);
}

TEST_CASE("a leak is found and freed") {
  const QemuImg qemu_img;
  const test::Folder folder;
  const auto path = folder / "a.qcow2";
  qemu_img.run({"create", "-q", "-f", "qcow2", path, "1M"}, "cannot make it", path);
  auto bytes = read_file(path);
  // Clusters of 64 KiB: header, table of refcounts, refcounts, L1. The fifth is said to be in use.
  bytes.resize(5 * 65536, '\0');
  bytes[2 * 65536 + 4 * 2 + 1] = 1;
  folder.write("a.qcow2", bytes);
  CHECK(qemu_img.check(path).leaks == 1);
  CHECK(qemu_img.check(path).whole());
  const auto repaired = qemu_img.check(path, "qcow2", ImageRepair::leaks);
  CHECK(repaired.leaks_fixed == 1);
  CHECK(qemu_img.check(path).leaks == 0);
}
