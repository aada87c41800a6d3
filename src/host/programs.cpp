// SPDX-License-Identifier: MIT
#include "host/programs.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/doctor.hpp"
#include "host/facts.hpp"
#include "host/probe_cache.hpp"
#include "host/spawn.hpp"

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {

namespace {

namespace fs = std::filesystem;

std::string first_executable(const std::vector<std::string>& candidates) {
  const auto found = std::find_if(candidates.begin(), candidates.end(), is_executable);
  return found == candidates.end() ? std::string() : *found;
}

/// The programs that vhost-user descriptors (QEMU's docs/interop/vhost-user.json) name for
/// filesystems.
std::vector<std::string> described_virtiofsd(const std::vector<std::string>& prefixes) {
  std::vector<std::string> folders = {config_home() + "/qemu/vhost-user", "/etc/qemu/vhost-user",
                                      "/usr/share/qemu/vhost-user"};
  for (const auto& prefix : prefixes) folders.push_back(prefix + "/share/qemu/vhost-user");
  std::vector<std::string> programs;
  for (const auto& folder : folders) {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      const auto descriptor =
          nlohmann::json::parse(try_read_file(file).value_or(""), nullptr, false);
      if (!descriptor.is_object() || descriptor.value("type", nlohmann::json()) != "fs") continue;
      const auto binary = descriptor.value("binary", nlohmann::json());
      if (binary.is_string()) programs.push_back(binary.get<std::string>());
    }
  }
  return programs;
}

/// Asked of the program itself; null where it is no virtiofsd.
nlohmann::json ask_kind(const std::string& program) {
  try {
    const auto version = ask_virtiofsd(program, "--version");
    const std::string text = lower_ascii(version.out + version.err);
    const auto says = [&](const char* part) { return text.find(part) != std::string::npos; };
    // QEMU's own: "virtiofsd version 7.2.22 … using FUSE kernel interface version 7.36".
    const bool is_c = says("fuse kernel interface") || says("setgroups() failed");
    if (!is_c && (!says("virtiofsd") || !version.ok())) return nullptr;
    const auto help = ask_virtiofsd(program, "--help");
    return {{"kind", is_c ? "c" : "rust"},
            {"translates", help.out.find("--translate-uid") != std::string::npos}};
  } catch (const Error&) {
    // Not for this machine, or it hangs: not one to be used.
    return nullptr;
  }
}

std::optional<VirtiofsdFacts> examine_virtiofsd(const std::string& program,
                                                const StateRoots& roots) {
  const ProbeCache cache(roots, "virtiofsd", stamp_of(program));
  auto answer = cache.load();
  if (!answer.is_object()) {
    answer = ask_kind(program);
    if (!answer.is_null()) cache.store(answer);
  }
  try {
    return VirtiofsdFacts{.path = program,
                          .kind = answer.at("kind") == "c" ? VirtiofsdKind::c : VirtiofsdKind::rust,
                          .translates = answer.at("translates")};
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

bool is_executable(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

Captured ask_virtiofsd(const std::string& program, const std::string& option) {
  constexpr auto patience = std::chrono::seconds(10);
  constexpr std::size_t limit = std::size_t{1} << 20;
  SpawnOptions options;
  options.argv = {program, option};
  if (::geteuid() == 0) return run_and_capture(options, patience, limit);
  options.user_namespace = true;
  try {
    return run_and_capture(options, patience, limit);
  } catch (const TimeoutError&) {
    throw;
  } catch (const Error&) {
    options.user_namespace = false;
    return run_and_capture(options, patience, limit);
  }
}

std::string require_program(const std::string& name, std::string_view what,
                            std::string_view thing) {
  const std::string found = find_program(name);
  const std::string label = std::string(what) + " (" + in_backticks(name) + ")";
  const std::string install = "install it: " + install_command(thing);
  if (found.empty()) throw Error(label + " is not found in PATH").help(install);
  struct stat status {};
  if (::stat(found.c_str(), &status) != 0) throw Error(label + " is not found").help(install);
  if (S_ISDIR(status.st_mode)) throw Error(label + " is a folder, not a program");
  if (!is_executable(found)) {
    throw Error(label + " is not executable").help("check the path, or chmod +x it");
  }
  return fs::absolute(found).lexically_normal().string();
}

std::string find_installed(const std::string& name) {
  if (std::string found = find_program(name); !found.empty()) return found;
  return first_executable({"/run/current-system/sw/bin/" + name,
                           "/etc/profiles/per-user/" + environment_value("USER") + "/bin/" + name,
                           environment_value("HOME") + "/.nix-profile/bin/" + name});
}

std::vector<std::string> prefixes_of(const std::string& binary) {
  std::vector<std::string> prefixes;
  for (const std::string& path : {binary, stamp_of(binary).path}) {
    const std::string prefix = fs::path(path).parent_path().parent_path().string();
    if (std::find(prefixes.begin(), prefixes.end(), prefix) == prefixes.end()) {
      prefixes.push_back(prefix);
    }
  }
  return prefixes;
}

VirtiofsdFacts find_virtiofsd(const std::string& qemu_binary, const StateRoots& roots) {
  const auto prefixes = prefixes_of(qemu_binary);
  std::vector<std::string> candidates = {find_installed("virtiofsd")};
  for (auto& program : described_virtiofsd(prefixes)) candidates.push_back(std::move(program));
  for (const char* folder : {"/usr/libexec", "/usr/lib/qemu", "/usr/lib", "/usr/lib/kvm"}) {
    candidates.push_back(std::string(folder) + "/virtiofsd");
  }
  for (const auto& prefix : prefixes) {
    for (const char* folder : {"/libexec", "/lib/qemu", "/bin"}) {
      candidates.push_back(prefix + folder + "/virtiofsd");
    }
  }
  // The Rust one is the maintained one and can serve read-only by itself.
  VirtiofsdFacts facts;
  for (const auto& program : candidates) {
    if (!is_executable(program)) continue;
    auto found = examine_virtiofsd(program, roots);
    if (!found) continue;
    if (found->kind == VirtiofsdKind::rust) return *found;
    if (facts.path.empty()) facts = std::move(*found);
  }
  return facts;
}

VirtiofsdFacts named_virtiofsd(const std::string& program, const StateRoots& roots) {
  const auto path = require_program(program, "virtiofsd", "virtiofsd");
  if (auto found = examine_virtiofsd(path, roots)) return std::move(*found);
  throw Error(in_backticks(path) + " is not virtiofsd, or a broken one")
      .help("`" + path + " --version` shows what it says");
}

std::string find_qemu_img(const std::string& qemu_binary) {
  std::vector<std::string> candidates;
  for (const std::string& path : {qemu_binary, stamp_of(qemu_binary).path}) {
    candidates.push_back((fs::path(path).parent_path() / "qemu-img").string());
  }
  const std::string beside = first_executable(candidates);
  return beside.empty() ? find_installed("qemu-img") : beside;
}

std::string find_bridge_helper(const std::string& qemu_binary) {
  // NixOS makes the setuid copy in /run/wrappers.
  std::vector<std::string> candidates = {"/run/wrappers/bin/qemu-bridge-helper"};
  for (const auto& prefix : prefixes_of(qemu_binary)) {
    candidates.push_back(prefix + "/libexec/qemu-bridge-helper");
    candidates.push_back(prefix + "/lib/qemu/qemu-bridge-helper");
  }
  candidates.insert(candidates.end(),
                    {"/usr/libexec/qemu-bridge-helper", "/usr/lib/qemu/qemu-bridge-helper"});
  return first_executable(candidates);
}

}  // namespace qlaunch
