// SPDX-License-Identifier: MIT
#include "cli/event_words.hpp"

#include "core/text.hpp"

#include <nlohmann/json.hpp>

namespace qlaunch {
namespace {

using QmpJson = nlohmann::json;

std::string text(const QmpJson& data, const char* key) {
  if (!data.is_object() || !data.contains(key)) return {};
  const auto& value = data.at(key);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool truth(const QmpJson& data, const char* key) {
  return data.is_object() && data.contains(key) && data.at(key) == true;
}

std::string shutdown_words(const std::string& reason) {
  if (reason == "guest-shutdown") return "the guest powered off";
  if (reason == "guest-reset") return "the guest asked for a reset";
  if (reason == "guest-panic") return "the guest panicked";
  if (reason == "host-qmp-quit") return "QEMU was told to quit";
  if (reason == "host-signal") return "QEMU got a signal";
  if (reason == "host-ui") return "its window was closed";
  return reason;
}

std::string reset_words(const QmpJson& data) {
  auto reason = text(data, "reason");
  if (reason == "guest-reset") return "the guest restarted itself";
  if (reason == "host-qmp-system-reset") return "reset from outside";
  return reason;
}

std::string port_words(const QmpJson& data) {
  const auto port = text(data, "id");
  const bool open = truth(data, "open");
  if (port == "agent-port") return open ? "the guest agent is there" : "the guest agent has gone";
  return port + (open ? " was opened" : " was closed");
}

/// Empty where the data itself says most.
std::string words_of(const std::string& event, const QmpJson& data) {
  if (event == "STARTED") return "started as pid " + text(data, "pid");
  if (event == "ENDED") return "ended: " + text(data, "text");
  if (event == "STOP") return "the guest stands still";
  if (event == "RESUME") return "the guest goes on";
  if (event == "POWERDOWN") return "its power button was pressed";
  if (event == "SHUTDOWN") return shutdown_words(text(data, "reason"));
  if (event == "RESET") return reset_words(data);
  if (event == "SUSPEND") return "the guest went to sleep";
  if (event == "WAKEUP") return "the guest woke up";
  if (event == "GUEST_PANICKED") return "the guest panicked";
  if (event == "WATCHDOG") return "the guest stopped feeding its watchdog: " + text(data, "action");
  if (event == "VSERPORT_CHANGE") return port_words(data);
  if (event == "BLOCK_IO_ERROR")
    return text(data, "operation") + " failed on " + text(data, "node-name") + ": " +
           text(data, "reason");
  if (event == "DEVICE_TRAY_MOVED")
    return "the tray of " + text(data, "id") + (truth(data, "tray-open") ? " opened" : " closed");
  if (event == "DEVICE_DELETED") return text(data, "device") + " was unplugged";
  if (event == "STOP_REQUESTED") return "asked to stop by " + text(data, "signal");
  if (event == "SHUTDOWN_TIMEOUT") return "the guest did not power off in time";
  if (event == "MONITOR_LOST") return text(data, "cause");
  if (event == "HELPER_EXITED")
    return text(data, "helper") + " has ended: " + text(data, "serves") + " no longer works";
  if (event == "PORT_APPEARED")
    return "port " + text(data, "guest_port") + ' ' + text(data, "protocol") +
           " of the guest is 127.0.0.1:" + text(data, "host_port") + " now";
  if (event == "PORT_GONE")
    return "nothing listens on port " + text(data, "guest_port") + ' ' + text(data, "protocol") +
           " of the guest any more; 127.0.0.1:" + text(data, "host_port") + " is closed";
  if (event == "PORT_NOT_FORWARDED")
    return "port " + text(data, "guest_port") + ' ' + text(data, "protocol") +
           " of the guest does not appear: " + text(data, "cause");
  if (event == "PORTS_CHANGE_TOO_OFTEN")
    return "the guest's ports change so often that the rest of this minute is not told";
  if (event == "PORTS_UNWATCHED") return "ports do not appear any more: " + text(data, "cause");
  if (event == "MIGRATION") return "saving or loading its state: " + text(data, "status");
  if (event == "SUSPEND_FAILED") return "it could not be suspended: " + text(data, "cause");
  if (event == "SUSPEND_CUT_OFF") return "the command that suspended it was killed";
  if (event == "WAKE_CUT_OFF") return "the command that let it go on was killed";
  if (event == "STATE_DISCARDED") return "its suspended state was discarded";
  if (event == "RUN_LOST") return "nobody saw how the last run ended";
  return {};
}

}  // namespace

std::optional<EventLine> read_event(std::string_view line) {
  const auto json = QmpJson::parse(line, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  EventLine event{text(json, "time"), text(json, "event"), {}, false};
  if (event.event.empty()) return std::nullopt;
  const auto data = json.value("data", QmpJson());
  event.words = words_of(event.event, data);
  if (event.words.empty()) event.words = text(data, "text");
  event.known = !event.words.empty();
  if (event.words.empty() && !data.is_null())
    event.words = data.dump(-1, ' ', false, QmpJson::error_handler_t::replace);
  for (auto* part : {&event.time, &event.event, &event.words}) *part = printable(*part);
  return event;
}

}  // namespace qlaunch
