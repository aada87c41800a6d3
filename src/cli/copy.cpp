// SPDX-License-Identifier: MIT
#include "cli/copy.hpp"

#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "cli/progress.hpp"
#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/ssh_words.hpp"
#include "host/exec.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "host/programs.hpp"
#include "vm/catalog.hpp"
#include "vm/ssh_connection.hpp"

#include <map>

namespace qlaunch {
namespace {

/// A word of scp's for a file of this host: not an option, and not a host with a path.
std::string local_word(const std::string& path) {
  const bool plain = path.starts_with('/') || path.starts_with("./") || path.starts_with("../");
  return plain || (!path.starts_with('-') && path.find(':') == std::string::npos) ? path
                                                                                  : "./" + path;
}

/// A file that is called `a:b` here, while no VM is called `a`, is that file.
CopyPlace place_of(const std::string& word) {
  auto place = parse_copy_place(word);
  if (place.on_host()) return place;
  try {
    place.target.vm = find_vm(place.target.vm);
  } catch (const Error&) {
    if (file_fact(word).kind == FileFact::Kind::missing) throw;
    return {{}, word};
  }
  return place;
}

class Copying {
 public:
  Copying(const CopyOptions& options, Terminal& terminal)
      : options_(options), terminal_(terminal) {}

  std::vector<std::string> argv() {
    if (options_.words.size() < 2)
      throw UsageError("`copy` needs what to copy, and where to")
          .help("`qlaunch copy FILE VM:` copies into the home folder of the guest's user");
    std::vector<CopyPlace> places;
    for (const auto& word : options_.words) places.push_back(place_of(word));
    check(places);
    std::vector<std::string> words;
    words.reserve(places.size());
    for (const auto& place : places)
      words.push_back(place.on_host() ? local_word(place.path)
                                      : host_of(place.target) + ':' + place.path);
    std::vector<std::string> out{scp_program(), "-F", write_config(), "-r"};
    // From guest to guest through this host: they need not reach each other.
    if (hosts_.size() > 1) out.emplace_back("-3");
    if (options_.preserve) out.emplace_back("-p");
    if (terminal_.quiet()) out.emplace_back("-q");
    out.emplace_back("--");
    out.insert(out.end(), words.begin(), words.end());
    return out;
  }

 private:
  static std::string scp_program() {
    const auto program = find_installed("scp");
    return program.empty() ? require_program("scp", "the ssh copier", "openssh") : program;
  }

  void check(const std::vector<CopyPlace>& places) {
    bool any = false;
    int from_guests = 0;
    for (std::size_t index = 0; index < places.size(); ++index) {
      const auto& place = places[index];
      any = any || !place.on_host();
      const bool source = index + 1 < places.size();
      if (source && !place.on_host()) ++from_guests;
      if (source && place.on_host() && file_fact(place.path).kind == FileFact::Kind::missing)
        throw Error("there is no file " + in_backticks(printable(place.path)));
    }
    if (!any)
      throw UsageError("none of these is in a guest")
          .help("write VM:PATH for a file of a guest, as in `web:/etc/hosts`");
    // scp opens one session for each, the next before the last has ended: servers limit how many
    // share a connection, and some mistake one for another.
    share_ = from_guests <= 1;
  }

  /// What scp calls this side; the way there is open then.
  std::string host_of(const SshTarget& target) {
    const auto key = target.user + '@' + target.vm;
    if (const auto known = hosts_.find(key); known != hosts_.end()) return known->second;
    const auto live = require_running(target.vm);
    const InterruptGuard guard;
    Progress progress(terminal_);
    SshWish wish;
    wish.user = target.user;
    wish.timeout = options_.timeout;
    wish.interrupted = InterruptGuard::interrupted;
    wish.step = [&](const std::string& text) { progress.waiting(text); };
    auto link = ssh_link(live, wish);
    std::optional<Error> refusal;
    const auto door = open_ssh(link, live, wish, refusal);
    progress.done();
    if (door == SshDoor::locked && !terminal_.in_is_terminal()) throw *refusal;
    link.forward_agent = false;
    if (!share_) link.control.clear();
    // Two users of one guest are two hosts to scp.
    if (!target.user.empty()) link.alias += '.' + hexadecimal(stable_hash(key) & 0xffffU, 4);
    config_ += ssh_host_block(link) + '\n';
    if (folder_.empty()) folder_ = live.plan.paths.runtime;
    return hosts_[key] = link.alias;
  }

  /// In the runtime folder of the first VM, with which it goes. The same content has the same name,
  /// so that no other copy's is changed.
  std::string write_config() const {
    auto path = folder_ + "/ssh_config-" + hexadecimal(stable_hash(config_), 16);
    if (try_read_file(path) != config_) write_file_atomic(path, config_, 0600, Durability::quick);
    return path;
  }

  const CopyOptions& options_;
  Terminal& terminal_;
  std::map<std::string, std::string> hosts_;  // by user and VM
  std::string config_, folder_;
  bool share_ = true;
};

}  // namespace

void add_copy(CLI::App& app, CopyOptions& options) {
  add_words(app, options.words, "PATH", "what to copy, and last where to; VM:PATH is in a guest");
  add_flag(app, options.preserve, "-p", "keep times and modes");
  add_timeout(app, options.timeout, "how long to wait for the guest's ssh server");
}

int copy(const CopyOptions& options, Terminal& terminal) {
  std::vector<std::string> argv;
  try {
    argv = Copying(options, terminal).argv();
  } catch (const Error&) {
    if (InterruptGuard::interrupted()) return InterruptGuard::exit_code();
    throw;
  }
  become(argv);
}

}  // namespace qlaunch
