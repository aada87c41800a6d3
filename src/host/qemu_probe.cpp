// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/doctor.hpp"
#include "host/facts.hpp"
#include "host/probe_cache.hpp"
#include "host/programs.hpp"
#include "host/spawn.hpp"
#include "qmp/message.hpp"
#include "qmp/sync.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace qlaunch {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

// Generous: a cold disk and a busy machine, once for each binary.
constexpr auto probe_timeout = 20s;

struct Probe {
  QemuFacts facts;
  std::string module_folder;  // where it loads modules from; empty: it has none
};

json names_of(qmp::SyncClient& client, const char* type) {
  json names = json::array();
  for (const auto& entry :
       client.execute("qom-list-types", {{"implements", type}, {"abstract", false}})) {
    names.push_back(entry.at("name"));
  }
  return names;
}

/// The words after the first line of a `help` list.
std::set<std::string> help_list(const std::string& binary, const char* option) {
  std::set<std::string> words;
  const auto help = run_and_capture({binary, option, "help"}, probe_timeout);
  if (!help.ok()) return words;
  auto lines = split(help.out, '\n');
  for (const auto& line : lines) {
    const std::string word(trim(line));
    // The heading ("Available display backend types:") and remarks have spaces in them.
    if (!word.empty() && word.find(' ') == std::string::npos) words.insert(word);
  }
  return words;
}

/// Modules come with packages of their own (qemu-system-gui): where they are is seen from what the
/// process has loaded.
std::string loaded_module_folder(pid_t pid) {
  const auto maps = try_read_file("/proc/" + std::to_string(pid) + "/maps", std::size_t{16} << 20);
  if (!maps) return {};
  for (const auto& line : split(*maps, '\n')) {
    const auto slash = line.find('/');
    if (slash == std::string::npos || !line.ends_with(".so")) continue;
    const std::filesystem::path file(line.substr(slash));
    if (file.parent_path().filename() == "qemu") return file.parent_path().string();
  }
  return {};
}

std::string folder_stamp(const std::string& folder) {
  const char* given = std::getenv("QEMU_MODULE_DIR");
  std::string text = given == nullptr ? "" : given;
  text += '|' + std::to_string(folder.empty() ? 0 : stamp_of(folder).changed);
  if (given != nullptr) text += '|' + std::to_string(stamp_of(given).changed);
  return text;
}

/// What the process said before it failed us, on one line.
std::string first_words(const std::string& text) {
  for (const auto& line : split(text, '\n')) {
    if (const auto words = trim(line); !words.empty()) return printable(words);
  }
  return {};
}

[[noreturn]] void throw_not_qemu(const std::string& binary, const std::string& how,
                                 const std::string& said) {
  Error error(in_backticks(binary) + " is not QEMU, or a broken one: " + how);
  if (!said.empty()) error.help("it said: " + said);
  error.help("set `qemu.binary` to a QEMU system emulator, or install one: " +
             install_command("qemu"));
  throw Error(std::move(error));
}

void fill_from_qmp(qmp::SyncClient& client, QemuFacts& facts) {
  const json& version = client.greeting().version.at("qemu");
  for (const char* part : {"major", "minor", "micro"}) {
    if (!facts.version.empty()) facts.version += '.';
    facts.version += std::to_string(version.at(part).get<int>());
  }
  for (const auto& machine : client.execute("query-machines")) {
    const std::string name = machine.at("name");
    facts.machines.insert(name);
    if (!machine.contains("alias")) continue;
    facts.machine_aliases[machine.at("alias")] = name;
    facts.machines.insert(machine.at("alias").get<std::string>());
  }
  for (const auto& name : names_of(client, "device")) {
    // CPUs are devices too, hundreds of them, and are asked for by model.
    const std::string device = name;
    if (!device.ends_with("-cpu")) facts.devices.insert(device);
  }
  for (const auto& model : client.execute("query-cpu-definitions")) {
    facts.cpu_models.insert(model.at("name").get<std::string>());
  }
  const json accelerators = names_of(client, "accel");
  facts.kvm =
      std::find(accelerators.begin(), accelerators.end(), "kvm-accel") != accelerators.end();
  // Its module has to have been loaded for this; that spice is compiled in does not mean it is
  // installed.
  const json chardevs = names_of(client, "chardev");
  facts.spice = std::find(chardevs.begin(), chardevs.end(), "chardev-spicevmc") != chardevs.end();
  for (const auto& command : client.execute("query-commands")) {
    if (command.at("name") == "query-vnc") facts.displays.insert("vnc");
  }
}

Probe ask(const std::string& binary) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw system_error("cannot make a socket pair", errno);
  }
  UniqueFd ours(ends[0]), theirs(ends[1]);
  std::array<int, 2> pipe_ends{};
  if (::pipe2(pipe_ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    throw system_error("cannot make a pipe", errno);
  }
  const UniqueFd said(pipe_ends[0]);
  UniqueFd saying(pipe_ends[1]);

  SpawnOptions options;
  options.argv = {binary,
                  "-machine",
                  "none",
                  "-nodefaults",
                  "-no-user-config",
                  "-display",
                  "none",
                  "-S",
                  "-chardev",
                  "socket,id=probe,fd=3",
                  "-mon",
                  "chardev=probe,mode=control"};
  options.descriptors = {{1, saying.get()}, {2, saying.get()}, {3, theirs.get()}};
  options.die_with_parent = true;
  const Child child = spawn(options);
  theirs.reset();
  saying.reset();

  Probe probe;
  std::string failure;
  try {
    qmp::Options qmp_options;
    qmp_options.greeting = probe_timeout;
    qmp_options.reply = probe_timeout;
    auto client = qmp::SyncClient::adopt(ours.release(), qmp_options,
                                         {{child.pidfd.get(), "the process ended"}});
    fill_from_qmp(client, probe.facts);
    probe.module_folder = loaded_module_folder(child.id.pid);
  } catch (const qmp::Error& error) {
    failure = error.what();
  } catch (const json::exception&) {
    failure = "its answers are not those of QEMU";
  }
  // It never ran a guest: there is nothing to be careful with.
  const auto patience = failure.empty() ? 0s : 1s;
  const bool by_itself = wait_exit(child.pidfd.get(), std::chrono::steady_clock::now() + patience);
  const int status = kill_and_reap(child);
  if (failure.empty()) return probe;
  std::array<char, 4096> buffer;
  const ssize_t count = ::read(said.get(), buffer.data(), buffer.size());
  const std::string text(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
  throw_not_qemu(
      binary,
      by_itself ? "it ended with " + describe_exit(status) + " when asked what it can do" : failure,
      first_words(text));
}

json to_json(const Probe& probe) {
  const QemuFacts& facts = probe.facts;
  return {{"version", facts.version},
          {"machine_aliases", facts.machine_aliases},
          {"machines", facts.machines},
          {"devices", facts.devices},
          {"displays", facts.displays},
          {"audio_drivers", facts.audio_drivers},
          {"cpu_models", facts.cpu_models},
          {"spice", facts.spice},
          {"kvm", facts.kvm},
          {"module_folder", probe.module_folder},
          {"modules", folder_stamp(probe.module_folder)}};
}

std::optional<QemuFacts> from_json(const json& answer) {
  try {
    if (answer.is_null() ||
        answer.at("modules") != folder_stamp(answer.at("module_folder").get<std::string>())) {
      return std::nullopt;
    }
    QemuFacts facts;
    answer.at("version").get_to(facts.version);
    answer.at("machine_aliases").get_to(facts.machine_aliases);
    answer.at("machines").get_to(facts.machines);
    answer.at("devices").get_to(facts.devices);
    answer.at("displays").get_to(facts.displays);
    answer.at("audio_drivers").get_to(facts.audio_drivers);
    answer.at("cpu_models").get_to(facts.cpu_models);
    answer.at("spice").get_to(facts.spice);
    answer.at("kvm").get_to(facts.kvm);
    return facts;
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

QemuFacts qemu_facts(const std::string& binary, const StateRoots& roots) {
  const std::string path = require_program(binary, "QEMU", "qemu");
  const FileStamp stamp = stamp_of(path);
  const ProbeCache cache(roots, "qemu", stamp);
  auto facts = from_json(cache.load());
  if (!facts) {
    Probe probe = ask(path);
    // What loads, not what was compiled in: modules that are not installed are not in these lists.
    probe.facts.displays.merge(help_list(path, "-display"));
    probe.facts.audio_drivers = help_list(path, "-audiodev");
    cache.store(to_json(probe));
    facts = std::move(probe.facts);
  }
  facts->path = path;
  const std::filesystem::path prefix =
      std::filesystem::path(stamp.path).parent_path().parent_path();
  facts->firmware_dirs = {(prefix / "share/qemu/firmware").string()};
  return *facts;
}

}  // namespace qlaunch
