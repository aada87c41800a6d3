// SPDX-License-Identifier: MIT
#include "vm/journal.hpp"

#include "core/text.hpp"
#include "host/files.hpp"
#include "host/paths.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace qlaunch {

std::string timestamp() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 80> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                static_cast<int>(milliseconds % 1000));
  return text.data();
}

void journal(const std::string& name, std::string_view event, const std::string& data) {
  const std::string path = vm_paths(state_roots(), name).state + "/events.jsonl";
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  // A journal that cannot be written (a full disk) must not end the VM it tells of.
  if (!file) return;
  std::string line = R"({"time":")" + timestamp() + R"(","event":")" + std::string(event) + '"';
  if (!data.empty() && data != "null") line += ",\"data\":" + data;
  line += "}\n";
  // One write, so that lines of two processes do not mix; what does not fit is given up, whole.
  const auto written = write(file.get(), line.data(), line.size());
  if (written <= 0 || written == static_cast<ssize_t>(line.size())) return;
  const auto end = lseek(file.get(), 0, SEEK_END);
  if (end >= written && ftruncate(file.get(), end - written) != 0) return;
}

namespace {

/// The last lines of the journal; the first of them may be cut off.
std::ifstream journal_tail(const std::string& name, std::streamoff enough) {
  std::ifstream file(vm_paths(state_roots(), name).state + "/events.jsonl", std::ios::binary);
  file.seekg(0, std::ios::end);
  file.seekg(std::max<std::streamoff>(file.tellg() - enough, 0));
  return file;
}

/// The journal's last lines, parsed where they hold one of the words.
void for_each_recent(const std::string& name, std::initializer_list<std::string_view> words,
                     const std::function<void(const nlohmann::json&)>& look) {
  auto file = journal_tail(name, std::streamoff{64} << 10);
  for (std::string line; std::getline(file, line);) {
    if (std::none_of(words.begin(), words.end(),
                     [&](auto word) { return line.find(word) != std::string::npos; }))
      continue;
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (json.is_object()) look(json);
  }
}

}  // namespace

std::string last_time(const std::string& name) {
  std::string time;
  for_each_recent(name, {"\"time\""}, [&](const auto& line) { time = line.value("time", time); });
  return time;
}

std::string helper_exit(const std::string& name, const std::string& helper,
                        const std::string& start) {
  std::string exit;
  for_each_recent(name, {"HELPER_EXITED"}, [&](const auto& line) {
    if (line.value("time", "") < start || !line.contains("data")) return;
    const auto& data = line["data"];
    if (!data.is_object() || data.value("helper", "") != helper) return;
    if (const auto how = data.find("exit"); how != data.end() && how->is_string())
      exit = how->template get<std::string>();
  });
  return exit;
}

std::string panic_time(const std::string& name, const std::string& start) {
  // A guest that has panicked causes few events any more, and a journal may be long.
  std::string time;
  for_each_recent(name, {"GUEST_PANICKED", "RESET"}, [&](const auto& line) {
    const auto event = line.value("event", "");
    const auto when = line.value("time", "");
    if (event == "GUEST_PANICKED" && when >= start) time = when;
    if (event == "RESET") time.clear();
  });
  return time;
}

bool agent_there(const std::string& name, const std::string& start) {
  bool there = false;
  for_each_recent(name, {"VSERPORT_CHANGE", "RESET"}, [&](const auto& line) {
    if (line.value("time", "") < start) return;
    if (line.value("event", "") == "RESET") there = false;
    const auto data = line.find("data");
    if (data == line.end() || !data->is_object() || data->value("id", "") != "agent-port") return;
    there = data->value("open", false);
  });
  return there;
}

std::vector<LogFile> log_files(const std::string& vm) {
  const std::string folder = vm_paths(state_roots(), vm).state;
  std::vector<LogFile> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    const auto extension = entry.path().extension();
    if (extension != ".log" && extension != ".jsonl") continue;
    found.push_back({entry.path().stem().string(), entry.path().string()});
  }
  std::sort(found.begin(), found.end(),
            [](const auto& left, const auto& right) { return left.name < right.name; });
  return found;
}

std::string log_path(const VmPaths& paths, const std::string& name) {
  return paths.state + '/' + name + ".log";
}

std::string last_lines(const std::string& path, std::size_t count) {
  const auto text = try_read_file(path);
  if (!text) return {};
  auto lines = split(trim(*text), '\n');
  for (auto& line : lines) line = trim(line);
  if (lines.size() > count)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return join(lines, "\n");
}

}  // namespace qlaunch
