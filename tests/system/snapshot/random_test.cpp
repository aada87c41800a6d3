// SPDX-License-Identifier: MIT
// Random sequences of writes, snapshots, reverts, deletions, kills and starts, against a model in
// memory: what the disks hold and which snapshots there are always equals the model's.
#include "core/text.hpp"
#include "fault/fault.hpp"
#include "snapshot/vm.hpp"

#include <csignal>
#include <map>
#include <random>

#include <doctest/doctest.h>

#include <poll.h>

using fault::Who;
using snap::Vm;
using test::Home;

namespace {

constexpr int sequences = 200;
constexpr std::size_t most_snapshots = 6;

using Disks = std::map<std::string, std::string>;

struct Kept {
  Disks disks;
  bool live = false;
};

class Story {
 public:
  Story(Home& home, unsigned seed) : vm_(home), random_(seed) {
    vm_.up();
    for (const auto* disk : {"data", "more"}) disks_[disk] = std::string(16, '.');
  }

  void sequence() {
    const int length = below(5) + 2;
    told_.clear();
    for (int step = 0; step < length; ++step) act();
    INFO(qlaunch::join(told_, "\n"));
    std::map<std::string, bool> listed;
    for (const auto& each : vm_.list()) {
      CHECK_MESSAGE(each["health"] == "whole", each.dump());
      listed[each["tag"]] = each["kind"] == "live";
    }
    std::map<std::string, bool> known;
    for (const auto& [tag, kept] : kept_) known[tag] = kept.live;
    CHECK(listed == known);
    CHECK(content() == disks_);
  }

 private:
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(random_); }
  void tell(const std::string& what) { told_.push_back(what); }
  Disks content() const { return {{"data", vm_.content("data")}, {"more", vm_.content("more")}}; }

  std::string some_tag() {
    auto at = kept_.begin();
    std::advance(at, below(static_cast<int>(kept_.size())));
    return at->first;
  }

  void act() {
    const int what = below(100);
    if (what < 45) return write();
    if (what < 62) return create();
    if (kept_.empty()) return;
    if (what < 80 && runs_) return revert();
    if (what < 80) return below(2) == 0 ? revert() : start_from();
    if (what < 92 || kept_.size() >= most_snapshots) return remove();
    end_or_start();
  }

  void write() {
    const std::string disk = below(2) == 0 ? "data" : "more";
    const int block = below(16);
    const char letter = static_cast<char>('a' + below(26));
    tell("write " + disk + ' ' + std::to_string(block) + ' ' + letter);
    vm_.write(disk, block, letter, runs_);
    disks_[disk][static_cast<std::size_t>(block)] = letter;
  }

  void create() {
    if (kept_.size() >= most_snapshots) return remove();
    const auto tag = 't' + std::to_string(++number_);
    std::vector<std::string> words{"snapshot", "create", "vm", tag};
    const bool live = runs_ && below(2) == 0;
    if (runs_ && !live) words.emplace_back("--disk-only");
    const Kept kept{disks_, live};
    if (!done(words) && vm_.find(tag) == nullptr) return;
    kept_[tag] = kept;
  }

  void revert() {
    const auto tag = some_tag();
    const auto before = disks_;
    const auto& then = kept_.at(tag);
    const bool whole = done({"snapshot", "revert", "vm", tag, "--discard"});
    if (whole) {
      disks_ = then.disks;
      runs_ = runs_ || then.live;
      return;
    }
    // All of it or nothing.
    const auto now = content();
    CHECK((now == before || now == then.disks));
    disks_ = now;
  }

  void start_from() {
    const auto tag = some_tag();
    tell("up --from " + tag);
    vm_.run({"up", "--from", tag, "vm", "--discard", "--no-wait"});
    disks_ = kept_.at(tag).disks;
    runs_ = true;
  }

  void remove() {
    const auto tag = some_tag();
    if (done({"snapshot", "delete", "vm", tag}) || vm_.find(tag) == nullptr) kept_.erase(tag);
  }

  void end_or_start() {
    tell(runs_ ? "kill" : "up");
    if (!runs_) {
      vm_.run({"up", "vm.toml", "--no-wait"});
      runs_ = true;
      return;
    }
    for (const int pid : fault::pids(vm_.home(), Who::qemu)) fault::kill_for_sure(pid);
    look();
  }

  void look() { runs_ = vm_.state() != "stopped"; }

  /// False where it was cut off: the command, now and then QEMU too, was killed at some moment.
  bool done(const std::vector<std::string>& words) {
    tell(qlaunch::join(words, " "));
    if (below(8) != 0) {
      vm_.run(words);
      return true;
    }
    const auto child = vm_.home().start(words);
    // At whatever moment this is.
    poll(nullptr, 0, below(60));
    const bool both = below(3) == 0;
    tell(both ? "  killed with QEMU" : "  killed");
    const auto qemus = both ? fault::pids(vm_.home(), Who::qemu) : std::vector<int>{};
    qlaunch::send_signal(child.id, SIGKILL);
    for (const int pid : qemus) fault::kill_for_sure(pid);
    REQUIRE(fault::ended(child));
    fault::code_of(child);
    // What it had started may still be on its way.
    CHECK(test::eventually([&] {
      look();
      const auto others = vm_.home().processes().size();
      return runs_ ? fault::pids(vm_.home(), Who::qemu).size() == 1 : others == 0;
    }));
    // Whatever it had done is finished or undone by the next command.
    vm_.list();
    look();
    return false;
  }

  Vm vm_;
  std::mt19937 random_;
  Disks disks_;
  std::map<std::string, Kept> kept_;
  bool runs_ = true;
  int number_ = 0;
  std::vector<std::string> told_;
};

}  // namespace

TEST_CASE("whatever happens in whatever order, the disks hold what they should") {
  const char* given = std::getenv("QLAUNCH_TEST_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : 20260131U;
  MESSAGE("QLAUNCH_TEST_SEED=" << seed);
  Home home;
  Story story(home, seed);
  for (int number = 0; number < sequences; ++number) {
    CAPTURE(number);
    story.sequence();
  }
  home.run({"kill", "vm"});
}
