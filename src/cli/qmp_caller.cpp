// SPDX-License-Identifier: MIT
#include "cli/qmp_caller.hpp"

#include "core/quote.hpp"
#include "core/suggest.hpp"
#include "core/text.hpp"
#include "vm/live.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using QmpJson = nlohmann::json;

/// How long another command may hold the socket, and QEMU take to greet.
constexpr Duration turn_patience = std::chrono::seconds(10);

QmpJson execute(const std::string& vm, const QmpLine& line, Duration timeout) {
  const auto live = require_running(vm);
  CommandSocket socket(live, std::min(timeout, turn_patience));
  auto& client = socket.client();
  if (line.command == "quit") {
    client.quit();
    return QmpJson::object();
  }
  const auto arguments = line.arguments.empty() ? QmpJson() : QmpJson::parse(line.arguments);
  return client.execute(line.command, arguments, timeout);
}

std::string text_of(const QmpJson& value, bool terminal) {
  // What the human monitor says is lines for people.
  if (terminal && value.is_string()) {
    auto text = value.get<std::string>();
    std::erase(text, '\r');
    while (text.ends_with('\n')) text.pop_back();
    return printable_lines(text) + '\n';
  }
  const auto text = value.dump(terminal ? 2 : -1, ' ', false, QmpJson::error_handler_t::replace);
  return (terminal ? printable_lines(text) : text) + '\n';
}

}  // namespace

const QmpSchema& QmpCaller::schema() {
  if (!schema_) schema_.emplace(execute(vm_, {"query-qmp-schema", {}}, timeout_));
  return *schema_;
}

void QmpCaller::call(const QmpLine& line, const Terminal& terminal) {
  try {
    terminal.print(text_of(execute(vm_, line, timeout_), terminal.out_is_terminal()));
  } catch (const qmp::Refused& refused) {
    Error error(in_backticks(line.command) + " was refused: " + refused.desc());
    if (refused.error_class() == "CommandNotFound") {
      if (const auto near = nearest(line.command, schema().commands()))
        error.help("did you mean " + in_backticks(*near) + "?");
    } else if (refused.error_class() != "GenericError") {
      error.help("its class is " + refused.error_class());
    } else if (const auto names = schema().arguments(line.command); !names.empty()) {
      error.help("its arguments are " + enumerate(names));
    }
    throw error;
  }
}

QmpLine QmpCaller::read(std::string_view line) {
  return read_qmp_line(line, [this]() -> const QmpSchema& { return schema(); });
}

QmpLine QmpCaller::read(const std::vector<std::string>& words) {
  return read_qmp_words(words, [this]() -> const QmpSchema& { return schema(); });
}

}  // namespace qlaunch
