// SPDX-License-Identifier: MIT
#include "vm/state/state_file.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/files.hpp"
#include "qmp/message.hpp"
#include "vm/file_watch.hpp"
#include "vm/journal.hpp"
#include "vm/steps.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::json;

/// As long as another command may hold the socket.
constexpr auto state_patience = std::chrono::seconds(30);
/// The keeper's journal tells of the end at once; this is for progress, and where it has no keeper.
constexpr int look_again = 100;  // milliseconds

/// QEMU's own default is 128 MiB a second, as if the file were on a network.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 43U;

constexpr const char* fd_name = "qlaunch-state";

void set_up(qmp::SyncClient& client, bool without_memory) {
  const Json capabilities = {{"capabilities",
                              {{{"capability", "events"}, {"state", true}},
                               {{"capability", "x-ignore-shared"}, {"state", without_memory}}}}};
  client.execute("migrate-set-capabilities", capabilities);
}

/// By descriptor: QEMU 7.2 knows no other way to a file. One that knows `file:` may have unlearnt
/// that, and takes the path.
void start(qmp::SyncClient& client, const char* command, int fd, const std::string& path) {
  try {
    client.execute_with_fds("getfd", Json{{"fdname", fd_name}}, {fd});
    client.execute(command, Json{{"uri", std::string("fd:") + fd_name}});
  } catch (const qmp::Refused&) {
    try {
      client.execute(command, Json{{"uri", "file:" + path}});
      return;
    } catch (const qmp::Refused&) {  // NOLINT(bugprone-empty-catch)
      // The first refusal says why.
    }
    throw;
  }
}

struct Status {
  std::string state;  // empty: nothing was begun
  std::string problem;
  std::uint64_t done = 0, total = 0;
};

Status ask(const LiveRecord& live) {
  CommandSocket socket(live, state_patience);
  const auto reply = socket.client().execute("query-migrate");
  Status status;
  status.state = reply.value("status", "");
  status.problem = reply.value("error-desc", "");
  if (const auto ram = reply.find("ram"); ram != reply.end()) {
    status.total = ram->value("total", std::uint64_t{0});
    status.done = status.total - std::min(status.total, ram->value("remaining", std::uint64_t{0}));
  }
  return status;
}

bool is_over(const std::string& state) {
  return state == "completed" || state == "failed" || state == "cancelled";
}

/// Until QEMU is done, in whatever way. Others may ask QEMU meanwhile.
Status await_end(const LiveRecord& live, const SaveProgress& progress) {
  const auto pidfd = open_pidfd(live.qemu);
  FileWatch journal(live.plan.paths.state + "/events.jsonl");
  for (bool cancelled = false;;) {
    journal.clear();
    auto status = ask(live);
    if (is_over(status.state)) return status;
    progress.bytes(status.done, status.total);
    if (!cancelled && progress.interrupted()) {
      CommandSocket(live, state_patience).client().execute("migrate_cancel");
      cancelled = true;
    }
    std::array<pollfd, 2> waiting{{{pidfd.get(), POLLIN, 0}, {journal.fd(), POLLIN, 0}}};
    poll(waiting.data(), waiting.size(), look_again);
  }
}

void sync_folder(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd) fsync(fd.get());
}

bool mentions(const std::string& reason, const char* word) {
  return reason.find(word) != std::string::npos;
}

std::string way_out(const std::string& reason) {
  if (mentions(reason, "VirtFS") || mentions(reason, "9p"))
    return "unmount the 9p share in the guest, and try again; `--detach-shares` does that";
  if (mentions(reason, "vhost-user-fs") || mentions(reason, "virtiofs"))
    return "this QEMU cannot save a VM with a virtiofs share: `--detach-shares` unplugs it first";
  if (mentions(reason, "nvme"))
    return "this QEMU cannot save a VM with an NVMe disk: use bus = \"virtio\"";
  return {};
}

}  // namespace

std::vector<std::string> what_blocks_saving(qmp::SyncClient& client) {
  const auto reply = client.execute("query-migrate");
  std::vector<std::string> reasons;
  if (const auto found = reply.find("blocked-reasons"); found != reply.end())
    reasons = found->get<std::vector<std::string>>();
  std::sort(reasons.begin(), reasons.end());
  reasons.erase(std::unique(reasons.begin(), reasons.end()), reasons.end());
  return reasons;
}

Error blocked_error(const std::string& what, const std::vector<std::string>& reasons) {
  StateError error(what + ": " + join(reasons, "; "));
  std::vector<std::string> told;
  for (const auto& reason : reasons) {
    auto help = way_out(reason);
    if (help.empty() || std::find(told.begin(), told.end(), help) != told.end()) continue;
    error.help(help);
    told.push_back(std::move(help));
  }
  return error;
}

std::uint64_t save_state(const LiveRecord& live, const StateFile& file,
                         const SaveProgress& progress) {
  const UniqueFd fd(
      open(file.path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw system_error("cannot write " + in_backticks(file.path), errno);
  try {
    {
      CommandSocket socket(live, state_patience);
      auto& client = socket.client();
      set_up(client, file.without_memory);
      client.execute("migrate-set-parameters", Json{{"max-bandwidth", no_limit}});
      start(client, "migrate", fd.get(), file.path);
    }
    at_step(Step::state_begun);
    const auto status = await_end(live, progress);
    at_step(Step::state_written);
    if (status.state == "cancelled") throw Error("interrupted: the state was not saved");
    if (status.state != "completed")
      throw Error("QEMU could not save the state" +
                  (status.problem.empty() ? "" : ": " + status.problem))
          .help("free space there: " + format_size_rounded(free_space(file.path)));
    struct stat written {};
    if (fsync(fd.get()) != 0 || fstat(fd.get(), &written) != 0)
      throw system_error("cannot write " + in_backticks(file.path), errno);
    sync_folder(file.path);
    return static_cast<std::uint64_t>(written.st_size);
  } catch (...) {
    unlink(file.path.c_str());
    throw;
  }
}

void load_state(const LiveRecord& live, const StateFile& file,
                const std::function<bool()>& interrupted) {
  const UniqueFd fd(open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) throw system_error("cannot read " + in_backticks(file.path), errno);
  CommandSocket socket(live, state_patience);
  auto& client = socket.client();
  set_up(client, file.without_memory);
  start(client, "migrate-incoming", fd.get(), file.path);
  const auto over = [](const qmp::Event& event) {
    return event.name == "MIGRATION" && is_over(event.data.value("status", ""));
  };
  for (;;) {
    const auto event = client.wait_event_if(over, Clock::now() + std::chrono::milliseconds(250));
    if (interrupted()) throw Error("interrupted: the launch was undone");
    if (!event) continue;
    if (event->data.at("status") == "completed") return;
    throw Error("QEMU could not load the saved state");
  }
}

}  // namespace qlaunch
