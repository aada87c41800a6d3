// SPDX-License-Identifier: MIT
// What a snapshot keeps of how far a guest is.
#include "guest/provision.hpp"
#include "host/files.hpp"
#include "vm/snapshot/told.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

using qlaunch::parse_provision;
using State = qlaunch::Provision::State;

namespace {

struct Log {
  Log() { REQUIRE(mkdtemp(folder.data()) != nullptr); }
  ~Log() { qlaunch::remove_tree(folder); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  std::string path() const { return folder + "/provision.log"; }
  void write(const std::string& text) const {
    qlaunch::write_file_atomic(path(), text, 0600, qlaunch::Durability::quick);
  }

  std::string folder = "/tmp/qlaunch-test-XXXXXX";
};

}  // namespace

TEST_CASE("a guest that goes back is as far as it was then") {
  const Log log;
  const std::string then = "qlaunch: begin i\nqlaunch: running a\n";
  log.write("qlaunch: begin i\nqlaunch: done\n" + then);
  qlaunch::SnapshotNote note;
  note.provision = qlaunch::provision_to_keep(log.path());
  CHECK(note.provision == then);
  const qlaunch::VmPaths paths{"/run", "/data", "/state", "/cache"};
  note.tag = "t";
  note = qlaunch::note_from_json(qlaunch::note_to_json(note, paths), "vm", paths);
  // As QEMU has it open.
  const qlaunch::UniqueFd port(open(log.path().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  qlaunch::write_all(port.get(), "qlaunch: done\n", "the log");
  qlaunch::take_up_provision(log.path(), note);
  CHECK(qlaunch::read_file(log.path()) == then);
  qlaunch::write_all(port.get(), "qlaunch: done\n", "the log");
  CHECK(qlaunch::read_file(log.path()) == then + "qlaunch: done\n");
}

TEST_CASE("a snapshot of before it was kept leaves the log alone") {
  const Log log;
  log.write("qlaunch: begin i\n");
  const qlaunch::VmPaths paths{"/run", "/data", "/state", "/cache"};
  qlaunch::SnapshotNote note;
  note.tag = "t";
  note = qlaunch::note_from_json(qlaunch::note_to_json(note, paths), "vm", paths);
  qlaunch::take_up_provision(log.path(), note);
  CHECK(qlaunch::read_file(log.path()) == "qlaunch: begin i\n");
  CHECK_FALSE(qlaunch::provision_to_keep(""));
  CHECK(qlaunch::provision_to_keep(log.folder + "/none") == "");
}

TEST_CASE("of a long log the beginning and the end are kept") {
  const Log log;
  std::string text = "qlaunch: begin i\nqlaunch: running a\n";
  while (text.size() < std::size_t{600} << 10) text += "| a line of what it says\n";
  log.write(text + "| last\nqlaunch: failed a: exit code 1\n");
  const auto kept = qlaunch::provision_to_keep(log.path());
  REQUIRE(kept);
  CHECK(kept->size() < std::size_t{300} << 10);
  const auto found = parse_provision(*kept);
  CHECK(found.state == State::failed);
  CHECK(found.output.back() == "last");
}
