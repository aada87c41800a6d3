// SPDX-License-Identifier: MIT
#include "vm/operation.hpp"

#include "core/error.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"
#include "vm/journal.hpp"
#include "vm/process_json.hpp"

#include <algorithm>
#include <filesystem>

#include <unistd.h>

namespace qlaunch {
namespace {

using Json = nlohmann::json;

std::string path_of(const std::string& name) {
  return vm_paths(state_roots(), name).data + "/operation.json";
}

}  // namespace

std::string operation_text(const Operation& operation) {
  auto text = operation.what;
  // Quoting is for sentences.
  std::erase(text, '`');
  if (operation.percent) text += ", " + std::to_string(*operation.percent) + '%';
  return text;
}

std::optional<Operation> operation_under_way(const std::string& name) {
  const auto text = try_read_file(path_of(name));
  if (!text) return std::nullopt;
  try {
    const auto json = Json::parse(*text);
    Operation operation{
        json.at("what"), json.at("since"), {}, process_from_json(json.at("process"))};
    if (json.contains("percent")) operation.percent = json.at("percent").get<int>();
    if (alive(operation.process)) return operation;
    operation.orphaned = true;
    if (json.contains("qemu") && alive(process_from_json(json.at("qemu")))) return operation;
  } catch (const Json::exception&) {  // NOLINT(bugprone-empty-catch)
    // Cut off by a crash of the host: nobody is at it.
  }
  return std::nullopt;
}

struct OperationRecord::State {
  std::string path;
  Operation operation;
  std::optional<ProcessId> qemu;

  void write() const {
    Json json = {{"what", operation.what},
                 {"since", operation.since},
                 {"process", process_to_json(operation.process)}};
    if (operation.percent) json["percent"] = *operation.percent;
    if (qemu) json["qemu"] = process_to_json(*qemu);
    try {
      write_file_atomic(path, json.dump(-1, ' ', false, Json::error_handler_t::replace), 0600,
                        Durability::quick);
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch)
      // The disk may be full; others then see a VM that is busy, without a reason.
    }
  }
};

OperationRecord::OperationRecord(const std::string& name, std::string what)
    : state_(new State{path_of(name), {std::move(what), timestamp(), {}, {}}, {}}) {
  state_->operation.process = identify(getpid()).value_or(ProcessId{});
  state_->write();
}

OperationRecord::~OperationRecord() {
  std::error_code ignored;
  std::filesystem::remove(state_->path, ignored);
}

void OperationRecord::now(std::string what) {
  state_->operation.what = std::move(what);
  state_->operation.percent.reset();
  state_->qemu.reset();
  state_->write();
}

void OperationRecord::in_qemu(const ProcessId& qemu) {
  state_->qemu = qemu;
  state_->write();
}

void OperationRecord::progress(int percent) {
  percent = std::clamp(percent, 0, 100);
  if (state_->operation.percent == percent) return;
  state_->operation.percent = percent;
  state_->write();
}

}  // namespace qlaunch
