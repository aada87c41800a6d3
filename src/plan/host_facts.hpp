// SPDX-License-Identifier: MIT
// Everything about the host that a plan depends on, as plain values: tests write them down,
// src/host finds them out. Touches nothing itself.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace qlaunch {

/// What one QEMU binary can do, asked of it once by QMP and cached.
struct QemuFacts {
  std::string path;                                    // absolute
  std::string version;                                 // "7.2.22"
  std::map<std::string, std::string> machine_aliases;  // "q35" -> "pc-q35-7.2"
  std::set<std::string> machines;                      // all names, aliases too
  std::set<std::string> devices;                       // "virtio-vga-gl", "qxl-vga", "usb-host" …
  std::set<std::string> displays;  // "gtk", "sdl", "spice-app", "curses" …: those that load
  std::set<std::string> audio_drivers;
  std::set<std::string> cpu_models;  // "host", "max", "EPYC", "qemu64" …
  bool spice = false;
  bool kvm = false;  // compiled in; whether it works is HostFacts::kvm_works
  std::vector<std::string>
      firmware_dirs;  // beside the standard ones, e.g. <prefix>/share/qemu/firmware
};

/// One firmware descriptor, as in QEMU's docs/interop/firmware.json, reduced to what is matched.
struct FirmwareDescriptor {
  std::string file;  // the descriptor's own path
  std::string description;
  bool uefi = false;
  std::string mode;  // device flash: "split" (default), "combined", "stateless"; "memory" for -bios
  std::string code, code_format;
  std::string vars_template, vars_format;
  struct Target {
    std::string architecture;
    std::vector<std::string> machines;  // globs such as "pc-q35-*"
  };
  std::vector<Target> targets;
  std::set<std::string> features;  // "secure-boot", "enrolled-keys", "requires-smm" …
};

struct FileFact {
  enum class Kind { missing, file, folder, device, other };
  Kind kind = Kind::missing;
  bool readable = false;
  bool writable = false;
  std::uint64_t size = 0;
  std::string format;                         // "qcow2" by its magic, else "raw"
  std::optional<std::uint64_t> virtual_size;  // of a qcow2: the guest's disk size
};

enum class VirtiofsdKind { c, rust };

struct HostFacts {
  QemuFacts qemu;
  bool kvm_works = false;
  std::string kvm_problem;  // why not, in words for the user
  bool kvm_nested = false;
  enum class CpuVendor { intel, amd, other } cpu_vendor = CpuVendor::other;
  std::int64_t cpus = 1;
  std::uint64_t memory = 0;
  std::vector<FirmwareDescriptor> firmware;  // in order of preference
  std::string virtiofsd;                     // empty: none found
  VirtiofsdKind virtiofsd_kind = VirtiofsdKind::rust;
  bool virtiofsd_translates = false;  // knows --translate-uid, as the Rust one does from 1.13
  /// Why this user can make no user namespace; empty where it can, or where nothing needs one.
  std::string namespace_problem;
  std::string swtpm;
  std::string bridge_helper;
  std::string qemu_img;
  bool desktop = false;    // DISPLAY or WAYLAND_DISPLAY is set
  std::string machine_id;  // of the host; makes MAC addresses unique across hosts
  unsigned uid = 0, gid = 0;
  std::string user, home;
  std::vector<std::string> ssh_public_keys;    // lines of ~/.ssh/*.pub, and the ssh agent's
  std::map<std::string, std::string> proxies;  // "http_proxy" …, as the environment has them
  std::vector<std::string> ca_certificates;    // texts of those that were added to the host's own
  /// Follows symlinks. Absolute paths only.
  std::function<FileFact(const std::string&)> file;
  /// The text of a small file, for a NixOS boot.json; nothing where it cannot be read.
  std::function<std::optional<std::string>(const std::string&)> read;
};

/// Where this VM's files are; made by src/host from XDG or QLAUNCH_HOME.
struct VmPaths {
  std::string runtime;  // sockets, short enough for sun_path
  std::string data;
  std::string state;  // logs
  std::string cache;  // qlaunch's, not the VM's own
};

}  // namespace qlaunch
