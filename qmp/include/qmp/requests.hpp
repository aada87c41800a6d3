// SPDX-License-Identifier: MIT
// Commands with typed arguments and results, for both clients: `client.call(query_status())`.
// Does not cover QMP: what is missing is one execute() away, and a request of one's own is a value.
#pragma once

#include "qmp/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace qmp {

/// A command, and how its reply is read. `read` may throw nlohmann's exceptions or Malformed: the
/// clients turn both into Malformed.
template <class Result>
struct Request {
  using result_type = Result;
  std::string command;
  nlohmann::json arguments;
  Result (*read)(const nlohmann::json& reply);
};

template <class Result>
Result read_reply(const Request<Result>& request, const nlohmann::json& reply) {
  try {
    return request.read(reply);
  } catch (const nlohmann::json::exception& problem) {
    throw Malformed("the reply to `" + request.command +
                    "` is not what it should be: " + problem.what());
  }
}

struct RunStatus {
  bool running = false;
  std::string status;  ///< QEMU's word: running, paused, prelaunch, inmigrate...
};

struct BlockNode {
  std::string name;
  std::string driver;
  std::string file;
  bool read_only = false;
  std::uint64_t size = 0;  ///< What the guest sees.
  std::vector<std::string> snapshots;
};

Request<RunStatus> query_status();
Request<void> stop();
Request<void> cont();
Request<void> system_powerdown();
Request<void> system_reset();
/// What types of QOM there are, by the type they implement: "device", "netdev"...
Request<std::vector<std::string>> qom_list_types(std::string_view implements);
/// Nodes that were named by the caller; QEMU's own have names that begin with `#`.
Request<std::vector<BlockNode>> query_named_block_nodes();
Request<void> device_add(nlohmann::json properties);
/// Only asks the guest: DEVICE_DELETED tells when it is done, if ever.
Request<void> device_del(std::string_view id);
/// `format` is png (from QEMU 7.1 on) or ppm.
Request<void> screendump(std::string_view file, std::string_view format = "png");

/// Arguments of jobs, for run_job("snapshot-save", ...).
nlohmann::json snapshot_save_arguments(std::string_view job, std::string_view tag,
                                       std::string_view vmstate,
                                       const std::vector<std::string>& devices);
nlohmann::json snapshot_delete_arguments(std::string_view job, std::string_view tag,
                                         const std::vector<std::string>& devices);

}  // namespace qmp
