// SPDX-License-Identifier: MIT
// A virtual machine as its file describes it: plain values, defaults filled in, each with the place
// it came from. Knows nothing of the machine it will run on.
#pragma once

#include "core/source.hpp"
#include "core/units.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

enum class Accel { automatic, kvm, tcg };
enum class Firmware { bios, uefi, uefi_secure };
enum class BootDevice { disk, cdrom, network };
enum class Watchdog { none, reset, shutdown, poweroff, pause, inject_nmi };

struct Smbios {
  std::string manufacturer, product, version, serial, sku, family;
};

struct Machine {
  std::string type = "q35";  // q35, pc, microvm or a versioned name
  Accel accel = Accel::automatic;
  std::uint64_t memory = 2 * gib;
  Firmware firmware = Firmware::bios;
  bool tpm = false;
  std::vector<BootDevice> boot = {BootDevice::disk, BootDevice::cdrom, BootDevice::network};
  bool boot_menu = false;
  std::string rtc = "utc";  // utc, localtime or a date "2026-01-31T12:00:00"
  bool rtc_catchup = false;
  bool guest_sleep = false;
  std::string uuid;  // empty: derived from the name
  Watchdog watchdog = Watchdog::none;
  bool rng = true;
  bool balloon = true;
  bool guest_agent = true;         // the virtio-serial channel for qemu-guest-agent
  std::int64_t hotplug_ports = 4;  // spare pcie-root-ports
  Smbios smbios;
};

struct Cpu {
  std::int64_t count = 2;
  std::optional<std::int64_t> sockets, cores, threads;
  std::string model = "host";
  std::vector<std::string> features;  // "+vmx", "-pcid"
  bool nested = false;
  bool hide_kvm = false;
};

struct Kernel {
  std::string image, initrd, cmdline, bootspec;
};

enum class DiskFormat { qcow2, raw };
enum class DiskBus { virtio, scsi, nvme, sata, usb };
enum class DiskMedia { disk, cdrom };
enum class DiskCache { none, writeback, writethrough, directsync, unsafe };
enum class DiskAio { threads, native, io_uring };

struct Disk {
  std::string name;  // "root" for the first, "disk1", "disk2" … for the others
  std::string file;  // empty: in qlaunch's own data folder
  std::optional<std::uint64_t> size;
  DiskFormat format = DiskFormat::qcow2;  // raw for a cdrom
  DiskBus bus = DiskBus::virtio;          // sata for a cdrom
  DiskMedia media = DiskMedia::disk;
  std::string base;       // a file this disk is a linked overlay on
  std::string image;      // the name of an [[image]], a path, or "builtin:hello"
  bool readonly = false;  // true for a cdrom
  std::string serial;
  DiskCache cache = DiskCache::writeback;
  DiskAio aio = DiskAio::threads;
  bool discard = true;     // discard = "unmap" | "ignore"
  bool ephemeral = false;  // writes go to an overlay that is thrown away
};

/// The drive of `up --cdrom`.
constexpr std::string_view installer_disk = "cdrom-once";

/// How many characters of a serial number reach the guest.
constexpr std::size_t longest_serial(DiskBus bus) {
  return bus == DiskBus::scsi ? 36 : 20;
}

struct Image {
  std::string name, arch, url, sha512, sha256;
  DiskFormat format = DiskFormat::qcow2;
};

enum class NetworkMode { user, bridge, tap, socket, none };
enum class Protocol { tcp, udp };

/// One forwarded port; a range in the file is several of these.
struct Forward {
  Protocol protocol = Protocol::tcp;
  std::string host_address = "127.0.0.1";
  std::uint16_t host_port = 0;  // 0: "auto", a free one that stays the same
  std::uint16_t guest_port = 0;

  bool operator==(const Forward&) const = default;
};

struct PortRange {
  std::uint16_t first = 0, last = 0;
  bool operator==(const PortRange&) const = default;
};

/// Ports of the guest that appear on the host's 127.0.0.1 while something listens on them there.
struct AutoForward {
  bool ignore = false;               // what matches does not appear
  std::optional<Protocol> protocol;  // none, for those ignored only: both
  PortRange guest;
  std::uint16_t host_first = 0;  // where the range begins on the host; 0: "auto", free ports
  bool operator==(const AutoForward&) const = default;
};

/// Where another program has the port of the host that is wanted.
enum class TakenPort { skip, other };

struct Network {
  std::string name;  // "net0", "net1" …
  NetworkMode mode = NetworkMode::user;
  std::string model = "virtio";  // virtio, e1000, e1000e, rtl8139
  std::vector<Forward> forward;
  std::vector<AutoForward> auto_forward;
  TakenPort auto_forward_taken = TakenPort::skip;
  std::string bridge;                      // mode = "bridge"
  std::string tap;                         // mode = "tap": the interface's name
  std::string listen, connect, multicast;  // mode = "socket": exactly one, as "address:port"
  std::string mac;                         // empty: derived from the VM's and the host's identity
  bool restrict = false;
  std::string hostname, domain, dns;
  std::string subnet;  // "10.0.2.0/24"
};

enum class ShareDriver { virtiofs, p9 };
enum class SecurityModel { mapped_xattr, mapped_file, passthrough, none };
enum class OnSnapshot { refuse, detach };

struct Share {
  std::string tag;
  std::string path;
  ShareDriver driver = ShareDriver::virtiofs;
  bool readonly = false;
  std::string mount;
  OnSnapshot on_snapshot = OnSnapshot::refuse;
  std::int64_t queue_size = 1024;
  SecurityModel security_model = SecurityModel::mapped_xattr;
  std::string cache;                // virtiofs: auto, always, never; empty: auto
  bool xattr = false;               // virtiofs
  bool posix_acl = false;           // virtiofs; needs xattr, and brings it
  std::string multidevs = "remap";  // 9p: remap, forbid, warn
};

enum class DisplayType { automatic, gtk, sdl, spice, vnc, curses, none };
/// As a profile writes it: "gtk".
std::string_view word_of(DisplayType type);
enum class Gpu { virtio, virtio_gl, qxl, standard, none };

struct Display {
  DisplayType type = DisplayType::automatic;
  Gpu gpu = Gpu::virtio;
  bool clipboard = false;
  std::string listen;  // spice, vnc: "127.0.0.1:5930"; empty: a private Unix socket
  bool fullscreen = false;
};

enum class SerialType { isa, virtio, none };

struct Serial {
  SerialType type = SerialType::isa;
  bool log = true;
};

struct Audio {
  std::string driver = "none";  // none, pipewire, pa, alsa, sdl, spice, dbus …
  std::string model = "hda";    // hda, ac97, virtio
};

struct Usb {
  std::string device;                           // tablet, keyboard, mouse, host
  std::optional<std::int64_t> vendor, product;  // device = "host"
};

enum class RunAs { root, user };
enum class RunWhen { once, boot };

struct GuestRun {
  std::string script;
  RunAs as = RunAs::root;
  RunWhen when = RunWhen::once;
};

/// A file that the guest gets.
struct GuestFile {
  std::string path;  // in the guest
  std::string content = {};
  std::string source = {};  // a file of the host, instead of `content`
  std::string mode = "0644";
  std::string owner = "root";  // or "user:group"
};

/// How the guest is told.
enum class GuestVia { volume, credentials };

struct Guest {
  bool present = false;  // a [guest] or a table in it stands in the file
  std::vector<GuestVia> via = {GuestVia::volume};
  std::string hostname;  // empty: the VM's name
  std::string user;
  std::optional<std::int64_t> uid;
  std::vector<std::string> groups;
  std::string shell = "/bin/bash";
  bool sudo = true;
  std::vector<std::string> ssh_keys = {"auto"};  // "auto", public keys, or files of them
  bool forward_agent = false;
  std::string timezone, locale;
  std::vector<std::string> packages;
  std::string user_data;  // a file of the user's own
  bool user_data_merged = true;
  std::string proxy = "none";         // "host", or a URL
  std::vector<std::string> ca_certs;  // "host", or files of the host
  std::map<std::string, std::string> environment;
  std::map<std::string, std::string> credentials;  // systemd credentials by SMBIOS
  std::vector<GuestFile> files;
  std::vector<GuestRun> run;
};

/// What has to happen before the guest counts as usable.
struct ReadyWhen {
  enum class Kind { started, ssh, agent, provisioned, serial, port };
  Kind kind = Kind::started;
  std::string text;        // serial:TEXT
  std::uint16_t port = 0;  // port:N

  bool operator==(const ReadyWhen&) const = default;
};

struct Ready {
  ReadyWhen when;  // ssh where there is a [guest], else started
  Duration timeout = std::chrono::seconds(120);
};

enum class OnHostShutdown { shutdown, suspend };

struct Shutdown {
  Duration timeout = std::chrono::seconds(60);
  OnHostShutdown on_host = OnHostShutdown::shutdown;
};

struct Start {
  bool warm = false;
};

struct QemuOptions {
  std::string binary = "qemu-system-x86_64";
  std::string virtiofsd;  // empty: found
  std::vector<std::string> args;
  bool sandbox = true;
};

struct Profile {
  std::string name;
  std::string description;
  Machine machine;
  Cpu cpu;
  Kernel kernel;
  std::vector<Disk> disks;
  std::vector<Image> images;
  std::vector<Network> networks;  // one of mode user where the file names none
  std::vector<Share> shares;
  Display display;
  Serial serial;
  Audio audio;
  std::vector<Usb> usb;
  Guest guest;
  Ready ready;
  Start start;
  Shutdown shutdown;
  QemuOptions qemu;

  /// Where values came from, by path: "machine.memory", "disk[0].size", "network[0].forward[1]",
  /// "disk[0]" (its [[disk]] line). What stands in no file is not in here.
  std::map<std::string, Location> places;
  /// The file itself, for findings that belong to no line.
  Location file;

  /// The place of this key; else of the table around it; else of the file.
  Location where(const std::string& path) const;
  /// Whether a file or a --set gave this key.
  bool is_set(const std::string& path) const { return places.contains(path); }
};

}  // namespace qlaunch
