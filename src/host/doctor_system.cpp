// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "core/text.hpp"
#include "core/units.hpp"
#include "host/doctor_parts.hpp"
#include "host/facts.hpp"
#include "host/files.hpp"
#include "host/memory.hpp"
#include "host/spawn.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch::doctor {

void examine_namespaces(Findings& findings) {
  const auto problem = namespace_problem();
  if (problem.empty()) {
    findings.push_back(
        {"namespaces", Level::ok, "read-only shares can be enforced with a mount namespace", {}});
  } else {
    findings.push_back({"namespaces", Level::warning, "user namespaces do not work: " + problem,
                        "sudo sysctl -w user.max_user_namespaces=15000; on Ubuntu also: sudo "
                        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"});
  }
}

void examine_bridge(const std::string& qemu, Findings& findings) {
  const std::string helper = find_bridge_helper(qemu);
  if (helper.empty()) {
    findings.push_back({"bridge", Level::note,
                        "qemu-bridge-helper is not found; mode = \"bridge\" needs it",
                        install_command("qemu")});
    return;
  }
  struct stat status {};
  const bool setuid =
      ::stat(helper.c_str(), &status) == 0 && (status.st_mode & S_ISUID) != 0 && status.st_uid == 0;
  if (!setuid && ::geteuid() != 0) {
    findings.push_back({"bridge", Level::note,
                        helper + " is not setuid root; mode = \"bridge\" will not work",
                        "sudo chmod u+s " + helper});
    return;
  }
  if (::access("/etc/qemu/bridge.conf", F_OK) != 0) {
    findings.push_back({"bridge", Level::note,
                        "/etc/qemu/bridge.conf is missing: no bridge may be used",
                        "sudo mkdir -p /etc/qemu && echo 'allow virbr0' | sudo tee -a "
                        "/etc/qemu/bridge.conf"});
    return;
  }
  findings.push_back({"bridge", Level::ok, helper + ", with /etc/qemu/bridge.conf", {}});
}

void examine_device(const std::string& topic, const std::string& device, const std::string& use,
                    const std::string& module, Findings& findings) {
  const UniqueFd fd(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (fd) {
    findings.push_back({topic, Level::ok, device, {}});
    return;
  }
  const bool missing = errno != EACCES && errno != EPERM;
  findings.push_back(
      {topic, Level::note, device + (missing ? " is missing" : " may not be opened") + "; " + use,
       missing ? "sudo modprobe " + module : "sudo usermod -aG kvm \"$USER\", and log in again"});
}

void examine_memory(Findings& findings) {
  const auto available = available_memory().value_or(0);
  const bool little = available < 2 * gib;
  findings.push_back(
      {"memory", little ? Level::warning : Level::ok,
       format_size_rounded(available) + " of memory are free",
       little ? "end other programs, or give VMs less: machine.memory = \"1 GiB\"" : ""});
}

void examine_disk(const StateRoots& roots, Findings& findings) {
  const std::uint64_t space = free_space(roots.data);
  const bool little = space < 5 * gib;
  findings.push_back({"disk", little ? Level::warning : Level::ok,
                      format_size_rounded(space) + " of disk are free at " + roots.data,
                      little ? "make room there, or set XDG_DATA_HOME or QLAUNCH_HOME" : ""});
}

void examine_runtime(const StateRoots& roots, Findings& findings) {
  make_private_folder(roots.runtime);
  const std::string file = roots.runtime + "/.doctor";
  write_file_atomic(file, "", 0600, Durability::quick);
  remove_tree(file);
  findings.push_back({"runtime", Level::ok, "sockets go to " + roots.runtime, {}});
}

}  // namespace qlaunch::doctor
