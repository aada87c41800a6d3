// SPDX-License-Identifier: MIT
// All that will be made and run for one VM, each piece with its reason. Plain values: nothing here
// opens a file or starts a process.
#pragma once

#include "core/diagnostic.hpp"
#include "plan/host_facts.hpp"
#include "profile/profile.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace qlaunch {

/// Why something is in the plan: a line of a profile, a rule, or both.
struct Reason {
  Location where;    // empty: no line asked for it
  std::string rule;  // "QEMU takes memory backends only of exactly the machine's size"
};

/// One option of a command with its values: {"-device", "{…}"}.
struct Argument {
  std::vector<std::string> words;
  Reason reason;
};

/// What the launcher makes and hands down as this descriptor: a listening Unix socket (0600), or a
/// tap device.
struct Descriptor {
  int number = 0;                        // in the child
  std::string role;                      // "qmp", "keeper", "serial", "agent"
  std::string path;                      // of the socket
  std::string bridge = {}, helper = {};  // of the tap device: where it is, and what makes it
  std::uint64_t memory = 0;              // bytes of a nameless file for the guest's memory
};

/// A variable for a command where the environment it starts from has none of that name.
struct DefaultVariable {
  std::string name, value;
  Reason reason;
};

struct Command {
  std::string program;  // absolute
  std::vector<Argument> arguments;
  std::vector<DefaultVariable> variables;
  std::vector<Descriptor> descriptors;

  /// program and every word, flat: what execve gets.
  std::vector<std::string> argv() const;
};

/// A process that QEMU needs beside it, started before it.
struct Helper {
  std::string name;    // "virtiofsd-TAG", "swtpm"
  std::string serves;  // in words: "share `nix-store-share`", "TPM"
  Command command;
  std::string socket;                 // what QEMU connects to
  bool socket_by_descriptor = false;  // else the helper binds it and it has to be awaited
  /// A folder the helper must see read-only: bound so in a mount namespace before it starts.
  std::string readonly_folder;
  /// It runs as root of a user namespace in which root is the user outside.
  bool user_namespace = false;
  Reason reason;
};

/// What has to exist before QEMU starts. Each is left alone where its result exists already.
struct MakeFolder {
  std::string path;
};
struct MakeDisk {
  std::string path;
  DiskFormat format = DiskFormat::qcow2;
  std::optional<std::uint64_t> size;
  std::string base;  // empty: none
  std::string base_format;
  bool fresh = false;  // ephemeral: made anew at each start
};
/// A file of the firmware's, converted to qcow2 so that snapshots hold it.
struct MakeNvram {
  std::string path, template_path, template_format;
};
struct WriteFile {  // made anew at each start, mode 0600
  std::string path, content;
  std::string ssh_folder = {};  // as of MakeSeed
};
struct WriteHelloImage {
  std::string path;
};
struct CopyFile {  // made anew at each start
  std::string path, from;
};
/// The volume that tells the guest who it is; made anew where its content changed.
struct MakeSeed {
  struct File {
    std::string name, content;
    bool executable = false;
  };
  std::string path;
  /// Where the VM's keys are, which the files have marks for (plan/seed/marks.hpp): neither the
  /// record nor a script shows them. Empty: no marks.
  std::string ssh_folder;
  std::vector<File> files;
};
struct Preparation {
  std::variant<MakeFolder, MakeDisk, MakeNvram, WriteFile, WriteHelloImage, CopyFile, MakeSeed>
      what;
  Reason reason;
};

struct PlannedForward {
  std::string network;  // netdev id
  Forward forward;      // host_port 0 only until a port is chosen
  Location where;
  /// Of those that appeared by themselves: the address that is listened on in the guest.
  std::string listener = {};
  bool by_ssh = false;  // else QEMU's user network carries it
};

/// The `auto_forward` of a network of mode "user".
struct PlannedAutoForward {
  std::string network;
  std::vector<AutoForward> rules;
  TakenPort taken = TakenPort::skip;
  std::string guest_address;  // where the user network leads what is forwarded
};

struct PlannedDisk {
  std::string name, node, path;
  DiskFormat format = DiskFormat::qcow2;
  bool readonly = false;
};

/// A folder of the host's that the guest can mount by its tag.
struct PlannedShare {
  std::string tag, path;
  bool virtiofs = false;  // else 9p
  bool readonly = false;
  std::string mount;    // where the guest is told to mount it; empty: it is not told
  bool detach = false;  // it may be taken from the guest while its state is saved
  std::string id;       // of the device, and
  std::string device;   // all of it, as QEMU takes it
};

/// An [[image]] that a disk is based on and that nobody has downloaded yet.
struct MissingImage {
  std::string name, url;
  std::string algorithm, digest;  // "sha512" or "sha256", and its hexadecimal digits
  std::string path;               // where it has to be
  Location where;

  /// The command that fetches it, as `up` does by itself.
  std::string how_to_get() const;
};

/// What a command has to know to get into the guest.
struct PlannedGuest {
  std::string user;  // empty: nobody said who can log in
  std::string hostname;
  bool forward_agent = false;
};

struct Plan {
  std::string name;
  std::string machine_type;  // versioned
  bool kvm = false;
  std::int64_t cpus = 1;
  std::uint64_t memory = 0;
  VmPaths paths;
  std::vector<Preparation> preparations;
  std::vector<Helper> helpers;
  Command qemu;
  std::vector<PlannedDisk> disks;
  std::optional<PlannedDisk> nvram;  // UEFI variables
  std::vector<PlannedForward> forwards;
  std::optional<PlannedAutoForward> auto_forward;
  std::vector<PlannedShare> shares;
  std::vector<std::string> macs;
  std::vector<MissingImage> missing_images;
  std::string serial_log, vnc_socket, spice_address;
  std::string provision_log;  // what the guest says of how far it is; empty: it is not told to
  DisplayType display = DisplayType::none;  // resolved
  PlannedGuest guest;
  Ready ready;
  Shutdown shutdown;

  const Descriptor* descriptor(std::string_view role) const;
};

/// How QEMU's sockets reach it: as descriptors (`up`) or by path (a script that a person pastes).
enum class SocketStyle { descriptor, path };

/// An ephemeral run that saves its ready state, or starts from such a state: see plan/warm.hpp.
struct WarmStart {
  std::string folder;  // of the saved state; empty: this run makes one
};

struct PlanInput {
  VmPaths paths;
  SocketStyle sockets = SocketStyle::descriptor;
  std::string machine_type;  // the versioned type pinned in the record; empty: resolve the alias
  /// What MAC addresses and the UUID are derived from; empty: the profile's name.
  std::string identity;
  /// Nothing of this run is to be left: the folder of the VM whose files it starts from, as
  /// overlays. Empty for every other run.
  std::string ephemeral_of;
  std::optional<WarmStart> warm;
  /// QEMU waits for `cont` before the guest's first instruction.
  bool paused = false;
  /// Ports chosen for "auto" forwards, in the order of their appearance; missing ones stay 0.
  std::vector<std::uint16_t> auto_ports;
};

struct Planned {
  Plan plan;  // whole only where no diagnostic is an error
  std::vector<Diagnostic> diagnostics;
};

/// The whole plan, or everything that stands in its way. Pure: the same profile, facts and input
/// give the same bytes.
Planned make_plan(const Profile& profile, const HostFacts& facts, const PlanInput& input);

}  // namespace qlaunch
