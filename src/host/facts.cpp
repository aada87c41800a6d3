// SPDX-License-Identifier: MIT
#include "host/facts.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "host/account.hpp"
#include "host/certificates.hpp"
#include "host/files.hpp"
#include "host/programs.hpp"
#include "host/spawn.hpp"
#include "host/ssh_agent.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <sched.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace qlaunch {

namespace {

bool has_variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0';
}

std::string user_name() {
  // The environment first: the user database may sit on a server.
  for (const char* name : {"USER", "LOGNAME"}) {
    if (has_variable(name)) return std::getenv(name);
  }
  const auto account = account_of(::getuid());
  return account ? account->name : std::string();
}

std::int64_t usable_cpus() {
  // Those this process may run on: in a container or under taskset that is fewer than there are.
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN));
}

std::uint64_t total_memory() {
  struct sysinfo info {};
  if (::sysinfo(&info) != 0) return 0;
  return static_cast<std::uint64_t>(info.totalram) * info.mem_unit;
}

std::vector<std::string> ssh_public_keys(const std::string& home) {
  std::vector<std::string> files;
  if (home.empty()) return {};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(home + "/.ssh", error)) {
    const std::string name = entry.path().filename().string();
    // Certificates are signed keys, not keys that a guest could be told to accept.
    if (name.ends_with(".pub") && !name.ends_with("-cert.pub")) {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> keys;
  for (const auto& file : files) {
    for (const auto& line : split(try_read_file(file).value_or(""), '\n')) {
      const std::string key(trim(line));
      const bool looks_right =
          key.starts_with("ssh-") || key.starts_with("ecdsa-") || key.starts_with("sk-");
      if (looks_right && std::find(keys.begin(), keys.end(), key) == keys.end()) {
        keys.push_back(key);
      }
    }
  }
  return keys;
}

/// Those of files first. An agent that does not answer holds up no start for long.
std::vector<std::string> all_ssh_keys(const std::string& home) {
  auto keys = ssh_public_keys(home);
  const char* agent = std::getenv("SSH_AUTH_SOCK");
  if (agent == nullptr) return keys;
  for (auto& key : agent_keys(agent, std::chrono::seconds(2))) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(std::move(key));
  }
  return keys;
}

std::map<std::string, std::string> proxies() {
  std::map<std::string, std::string> found;
  for (const std::string name : {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}) {
    auto capitals = name;
    for (char& character : capitals) {
      if (character >= 'a') character = static_cast<char>(character - 'a' + 'A');
    }
    for (const auto& spelling : {name, capitals}) {
      if (!has_variable(spelling.c_str()) || found.contains(name)) continue;
      const std::string value = std::getenv(spelling.c_str());
      const bool one_line = std::none_of(
          value.begin(), value.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
      if (one_line) found[name] = value;
    }
  }
  // What is left out of nothing is nothing.
  if (found.size() == 1 && found.contains("no_proxy")) found.clear();
  return found;
}

}  // namespace

std::string machine_id() {
  for (const char* file : {"/etc/machine-id", "/var/lib/dbus/machine-id"}) {
    if (const auto text = try_read_file(file)) {
      if (const auto id = trim(*text); !id.empty()) return std::string(id);
    }
  }
  return {};
}

HostFacts::CpuVendor cpu_vendor() {
#if defined(__x86_64__) || defined(__i386__)
  // Asked of the processor itself: /proc/cpuinfo is slow where there are many.
  unsigned highest = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(0, &highest, &b, &c, &d) != 0) {
    char name[13] = {};
    std::memcpy(name, &b, 4);
    std::memcpy(name + 4, &d, 4);
    std::memcpy(name + 8, &c, 4);
    const std::string_view vendor(name);
    if (vendor == "GenuineIntel") return HostFacts::CpuVendor::intel;
    if (vendor == "AuthenticAMD" || vendor == "HygonGenuine") return HostFacts::CpuVendor::amd;
  }
#endif
  return HostFacts::CpuVendor::other;
}

std::string namespace_problem() {
  SpawnOptions options;
  options.argv = {"/bin/sh", "-c", ":"};
  options.user_namespace = ::geteuid() != 0;
  options.readonly_folder = "/usr";
  try {
    const auto answer = run_and_capture(std::move(options), std::chrono::seconds(10), 4096);
    return answer.ok() ? std::string()
                       : "the test program ended with " + describe_exit(answer.status);
  } catch (const Error& error) {
    const std::string text = error.what();
    const std::string prefix = "cannot start `/bin/sh`: ";
    return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
  }
}

namespace {

VirtiofsdFacts virtiofsd_for(const FactsRequest& request, const std::string& qemu,
                             const StateRoots& roots) {
  if (request.virtiofsd_program.empty()) return find_virtiofsd(qemu, roots);
  try {
    return named_virtiofsd(request.virtiofsd_program, roots);
  } catch (Error& error) {
    throw std::move(error).at(request.virtiofsd_place);
  }
}

}  // namespace

FactsRequest facts_request(const Profile& profile) {
  FactsRequest request;
  request.qemu_binary = profile.qemu.binary;
  request.accel = profile.machine.accel;
  request.firmware = profile.machine.firmware != Firmware::bios;
  request.swtpm = profile.machine.tpm;
  for (const auto& share : profile.shares) {
    if (share.driver == ShareDriver::virtiofs) request.virtiofsd = true;
  }
  request.virtiofsd_program = profile.qemu.virtiofsd;
  request.virtiofsd_place = profile.where("qemu.virtiofsd");
  for (const auto& network : profile.networks) {
    if (network.mode == NetworkMode::bridge) request.bridge = true;
  }
  request.proxies = profile.guest.proxy == "host";
  const auto& authorities = profile.guest.ca_certs;
  request.ca_certificates =
      std::find(authorities.begin(), authorities.end(), "host") != authorities.end();
  const auto& keys = profile.guest.ssh_keys;
  request.ssh_keys =
      profile.guest.present && std::find(keys.begin(), keys.end(), "auto") != keys.end();
  return request;
}

HostFacts gather_facts(const FactsRequest& request, const StateRoots& roots) {
  HostFacts facts;
  facts.qemu = qemu_facts(request.qemu_binary, roots);
  if (request.accel != Accel::tcg) {
    KvmVerdict verdict = kvm_verdict(facts.qemu, roots);
    facts.kvm_works = verdict.works;
    facts.kvm_problem = std::move(verdict.problem);
    facts.kvm_nested = verdict.works && kvm_nested();
  }
  facts.cpu_vendor = cpu_vendor();
  facts.cpus = usable_cpus();
  facts.memory = total_memory();
  if (request.firmware) {
    facts.firmware = firmware_descriptors(firmware_folders(facts.qemu.firmware_dirs));
  }
  if (request.virtiofsd) {
    const VirtiofsdFacts found = virtiofsd_for(request, facts.qemu.path, roots);
    facts.virtiofsd = found.path;
    facts.virtiofsd_kind = found.kind;
    facts.virtiofsd_translates = found.translates;
    const bool needs_namespace = !facts.virtiofsd.empty() && found.kind == VirtiofsdKind::c;
    if (needs_namespace && ::geteuid() != 0) facts.namespace_problem = namespace_problem();
  }
  if (request.swtpm) facts.swtpm = find_installed("swtpm");
  if (request.bridge) facts.bridge_helper = find_bridge_helper(facts.qemu.path);
  facts.qemu_img = find_qemu_img(facts.qemu.path);
  facts.desktop = has_variable("DISPLAY") || has_variable("WAYLAND_DISPLAY");
  facts.machine_id = machine_id();
  facts.uid = ::geteuid();
  facts.gid = ::getegid();
  facts.user = user_name();
  facts.home = home_folder();
  if (request.ssh_keys) facts.ssh_public_keys = all_ssh_keys(facts.home);
  if (request.proxies) facts.proxies = proxies();
  if (request.ca_certificates) facts.ca_certificates = added_certificates();
  facts.file = file_fact;
  facts.read = [](const std::string& path) { return try_read_file(path); };
  return facts;
}

HostFacts gather_facts(const Profile& profile, const StateRoots& roots) {
  return gather_facts(facts_request(profile), roots);
}

}  // namespace qlaunch
