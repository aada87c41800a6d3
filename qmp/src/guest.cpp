// SPDX-License-Identifier: MIT
#include "qmp/guest.hpp"

#include "base64.hpp"
#include "wire.hpp"

#include <algorithm>
#include <utility>

namespace qmp {
namespace {

using nlohmann::json;
using Clock = std::chrono::system_clock;

void no_result(const json&) {}

std::int64_t number(const json& reply) {
  // Not get() alone: it converts a number with an exponent, whatever its size.
  if (!reply.is_number_integer()) throw Malformed("the guest agent's answer is no integer");
  return reply.get<std::int64_t>();
}

GuestOs read_os(const json& reply) {
  return {string_or(reply, "id", ""),
          string_or(reply, "name", ""),
          string_or(reply, "pretty-name", ""),
          string_or(reply, "version-id", ""),
          string_or(reply, "kernel-release", ""),
          string_or(reply, "machine", "")};
}

std::vector<GuestInterface> read_interfaces(const json& reply) {
  std::vector<GuestInterface> result;
  for (const auto& entry : reply) {
    GuestInterface one{
        entry.at("name").get<std::string>(), string_or(entry, "hardware-address", ""), {}};
    for (const auto& address : entry.value("ip-addresses", json::array())) {
      one.addresses.push_back({address.at("ip-address").get<std::string>(),
                               static_cast<int>(integer_or(address, "prefix", 0)),
                               string_or(address, "ip-address-type", "") == "ipv6"});
    }
    result.push_back(std::move(one));
  }
  return result;
}

Clock::time_point read_time(const json& reply) {
  return Clock::time_point(
      std::chrono::duration_cast<Clock::duration>(std::chrono::nanoseconds(number(reply))));
}

[[noreturn]] void strange(const char* command) {
  throw Malformed(std::string("the guest agent's answer to `") + command +
                  "` is not what it should be");
}

/// An integer of the answer's; a guest may send anything.
std::int64_t integer_of(const json& value, const char* key, const char* command) {
  if (!value.is_object()) strange(command);
  const auto found = value.find(key);
  if (found == value.end() || !found->is_number_integer()) strange(command);
  return found->get<std::int64_t>();
}

std::string bytes_of(const json& value, const char* key, const char* command) {
  auto bytes = from_base64(string_or(value, key, ""));
  if (!bytes) strange(command);
  return std::move(*bytes);
}

bool truth_of(const json& value, const char* key) {
  if (!value.is_object()) return false;
  const auto found = value.find(key);
  return found != value.end() && found->is_boolean() && found->get<bool>();
}

std::optional<int> small_of(const json& value, const char* key) {
  const auto found = value.find(key);
  if (found == value.end() || !found->is_number_integer()) return std::nullopt;
  return static_cast<int>(found->get<std::int64_t>());
}

ExecResult read_exec_end(const json& value) {
  constexpr auto command = "guest-exec-status";
  ExecResult result;
  result.code = small_of(value, "exitcode");
  result.signal = small_of(value, "signal");
  result.out = bytes_of(value, "out-data", command);
  result.err = bytes_of(value, "err-data", command);
  result.truncated = truth_of(value, "out-truncated") || truth_of(value, "err-truncated");
  return result;
}

std::int64_t read_pid(const json& value) {
  return integer_of(value, "pid", "guest-exec");
}

std::optional<ExecResult> read_exec_status(const json& value) {
  if (!truth_of(value, "exited")) return std::nullopt;
  return read_exec_end(value);
}

GuestPiece read_piece(const json& value) {
  GuestPiece piece{bytes_of(value, "buf-b64", "guest-file-read"), truth_of(value, "eof")};
  return piece;
}

std::int64_t read_count(const json& value) {
  return integer_of(value, "count", "guest-file-write");
}

}  // namespace

Request<std::int64_t> guest_exec(const ExecRequest& request) {
  json arguments = {{"path", request.path}, {"capture-output", request.capture}};
  if (!request.arguments.empty()) arguments["arg"] = request.arguments;
  if (!request.environment.empty()) arguments["env"] = request.environment;
  if (!request.input.empty()) arguments["input-data"] = to_base64(request.input);
  return {"guest-exec", std::move(arguments), read_pid};
}
Request<std::optional<ExecResult>> guest_exec_status(std::int64_t pid) {
  return {"guest-exec-status", {{"pid", pid}}, read_exec_status};
}
Request<std::int64_t> guest_file_open(std::string_view path, std::string_view mode) {
  return {"guest-file-open", {{"path", path}, {"mode", mode}}, number};
}
Request<GuestPiece> guest_file_read(std::int64_t handle, std::size_t most) {
  return {"guest-file-read", {{"handle", handle}, {"count", most}}, read_piece};
}
Request<std::int64_t> guest_file_write(std::int64_t handle, std::string_view bytes) {
  return {"guest-file-write", {{"handle", handle}, {"buf-b64", to_base64(bytes)}}, read_count};
}
Request<void> guest_file_flush(std::int64_t handle) {
  return {"guest-file-flush", {{"handle", handle}}, no_result};
}
Request<void> guest_file_close(std::int64_t handle) {
  return {"guest-file-close", {{"handle", handle}}, no_result};
}

Request<GuestOs> guest_os_info() {
  return {"guest-get-osinfo", nullptr, read_os};
}
Request<std::vector<GuestInterface>> guest_interfaces() {
  return {"guest-network-get-interfaces", nullptr, read_interfaces};
}
Request<std::int64_t> guest_freeze() {
  return {"guest-fsfreeze-freeze", nullptr, number};
}
Request<std::int64_t> guest_thaw() {
  return {"guest-fsfreeze-thaw", nullptr, number};
}
Request<bool> guest_frozen() {
  return {"guest-fsfreeze-status", nullptr, [](const json& reply) { return reply == "frozen"; }};
}
Request<Clock::time_point> guest_time() {
  return {"guest-get-time", nullptr, read_time};
}
Request<void> guest_set_time(std::optional<Clock::time_point> time) {
  json arguments;
  if (time) {
    arguments["time"] =
        std::chrono::duration_cast<std::chrono::nanoseconds>(time->time_since_epoch()).count();
  }
  return {"guest-set-time", std::move(arguments), no_result};
}

std::optional<GuestTask::Step> ExecTask::next() {
  if (exited_) return std::nullopt;
  if (started_) {
    // The agent tells of no end by itself: it is asked, soon at first and then less often.
    const auto pause = pause_;
    pause_ = std::min(pause_ * 2, std::chrono::milliseconds(100));
    return Step{"guest-exec-status", {{"pid", result_.pid}}, pause};
  }
  auto request = guest_exec(request_);
  return Step{std::move(request.command), std::move(request.arguments), {}};
}

void ExecTask::reply(const json& value) {
  if (!started_) {
    result_.pid = read_pid(value);
    started_ = true;
    return;
  }
  auto end = read_exec_status(value);
  if (!end) return;
  end->pid = result_.pid;
  result_ = std::move(*end);
  exited_ = true;
}

std::optional<GuestTask::Step> FileTask::next() {
  switch (stage_) {
    case Stage::open:
      return Step{"guest-file-open", {{"path", path_}, {"mode", mode_}}, {}};
    case Stage::work:
      if (auto step = work(handle_)) return step;
      stage_ = Stage::close;
      [[fallthrough]];
    case Stage::close:
      return Step{"guest-file-close", {{"handle", handle_}}, {}};
    case Stage::done:
      break;
  }
  return std::nullopt;
}

void FileTask::reply(const json& value) {
  switch (stage_) {
    case Stage::open:
      if (!value.is_number_integer()) strange("guest-file-open");
      handle_ = value.get<std::int64_t>();
      stage_ = Stage::work;
      break;
    case Stage::work:
      worked(value);
      break;
    case Stage::close:
      stage_ = Stage::done;
      break;
    case Stage::done:
      break;
  }
}

std::optional<GuestTask::Step> FileTask::abandon() {
  if (stage_ != Stage::work) return std::nullopt;
  stage_ = Stage::done;
  return Step{"guest-file-close", {{"handle", handle_}}, {}};
}

std::optional<GuestTask::Step> ReadTask::work(std::int64_t handle) {
  if (end_) return std::nullopt;
  return Step{"guest-file-read", {{"handle", handle}, {"count", piece_}}, {}};
}

void ReadTask::worked(const json& value) {
  constexpr auto command = "guest-file-read";
  const auto bytes = bytes_of(value, "buf-b64", command);
  end_ = truth_of(value, "eof");
  if (bytes.empty() && !end_) strange(command);  // it would go on for ever
  if (!bytes.empty()) sink_(bytes);
}

std::optional<GuestTask::Step> WriteTask::work(std::int64_t handle) {
  if (rest_.empty()) rest_ = source_(piece_);
  if (rest_.empty()) return std::nullopt;
  return Step{"guest-file-write", {{"handle", handle}, {"buf-b64", to_base64(rest_)}}, {}};
}

void WriteTask::worked(const json& value) {
  constexpr auto command = "guest-file-write";
  const auto count = integer_of(value, "count", command);
  if (count <= 0 || static_cast<std::uint64_t>(count) > rest_.size()) strange(command);
  rest_.erase(0, static_cast<std::size_t>(count));
}

}  // namespace qmp
