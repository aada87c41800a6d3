// SPDX-License-Identifier: MIT
#include "host/kvm.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "core/text.hpp"
#include "host/capture.hpp"
#include "host/files.hpp"
#include "host/probe_cache.hpp"
#include "host/process.hpp"
#include "host/spawn.hpp"

#include <cerrno>
#include <cstdint>
#include <ctime>

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace qlaunch {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::uint8_t guest_code[] = {
#include "kvm_guest.inc"
};
constexpr std::string_view guest_says = "works";

constexpr auto guest_timeout = 5s;
// A verdict from a passing cause (memory, another hypervisor, a busy machine) is soon asked again.
constexpr std::int64_t passing_seconds = 60;

/// The guest as the firmware image that QEMU maps below 4 GiB and below 1 MiB.
std::string firmware_image() {
  constexpr std::size_t size = 65536;
  constexpr std::size_t reset_vector = 0xfff0;
  std::string image(size, '\xf4');  // hlt
  image.replace(0, sizeof guest_code, reinterpret_cast<const char*>(guest_code), sizeof guest_code);
  image.replace(reset_vector, 5, std::string("\xea\x00\x00\x00\xf0", 5));  // jump to f000:0000
  return image;
}

/// What QEMU said that tells most: the first line that is no warning, without its name in front.
std::string complaint(const std::string& text) {
  std::string fallback;
  for (const auto& line : split(text, '\n')) {
    std::string_view words = trim(line);
    if (words.empty()) continue;
    if (const auto colon = words.find(": ");
        colon != std::string_view::npos && words.substr(0, colon).find(' ') == words.npos) {
      words.remove_prefix(colon + 2);
    }
    if (words.starts_with("warning: ")) {
      if (fallback.empty()) fallback = words.substr(9);
      continue;
    }
    if (words.starts_with("error: ")) words.remove_prefix(7);
    return printable(words);
  }
  return printable(fallback);
}

bool passing(const std::string& problem) {
  for (const char* cause : {"Cannot allocate memory", "resource busy", "did not get"}) {
    if (problem.find(cause) != std::string::npos) return true;
  }
  return false;
}

KvmVerdict unusable(std::string problem, std::string help) {
  return {.works = false, .problem = std::move(problem), .help = std::move(help)};
}

std::string firmware_help() {
  return "turn on virtualization (VT-x, AMD-V) in this machine's firmware settings, or nested "
         "virtualization where this is a virtual machine itself; `machine.accel = \"tcg\"` does "
         "without";
}

/// What can be said without starting anything.
std::optional<KvmVerdict> verdict_by_device() {
  const UniqueFd device(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (device) return std::nullopt;
  switch (errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return unusable("/dev/kvm is missing", firmware_help());
    case EACCES:
    case EPERM:
      return unusable("/dev/kvm may not be opened by this user",
                      "add yourself to the group kvm and log in again: sudo usermod -aG kvm "
                      "\"$USER\"");
    default:
      return unusable(system_error("/dev/kvm cannot be opened", errno).what(), firmware_help());
  }
}

}  // namespace

std::string try_guest(const std::string& qemu, const std::string& accel, const std::string& cpu) {
  UniqueFd image(::memfd_create("guest", MFD_CLOEXEC));
  if (!image) throw system_error("cannot make a file in memory", errno);
  write_all(image.get(), firmware_image(), "cannot make a file in memory");

  SpawnOptions options;
  options.argv = {qemu,          "-no-user-config",
                  "-nodefaults", "-machine",
                  "q35",         "-accel",
                  accel,         "-cpu",
                  cpu,           "-m",
                  "16",          "-display",
                  "none",        "-no-reboot",
                  "-bios",       "/proc/self/fd/3",
                  "-serial",     "stdio"};
  options.descriptors[3] = image.get();
  options.die_with_parent = true;
  // After such an error QEMU stays, with its guest stopped.
  const auto hopeless = [](const Captured& so_far) {
    return so_far.err.find("KVM internal error") != std::string::npos ||
           so_far.err.find("KVM: entry failed") != std::string::npos;
  };
  const auto run = capture(std::move(options), guest_timeout, std::size_t{64} << 10, hopeless);
  const bool spoke = trim(run.output.out) == guest_says;
  if (run.end == CaptureEnd::by_itself && run.output.ok() && spoke) return {};
  std::string said = complaint(run.output.err);
  if (run.end == CaptureEnd::timeout) {
    return "a test guest did not get to its end within 5s" +
           (said.empty() ? "" : " (" + said + ")");
  }
  if (!said.empty()) return said;
  return "a test guest ended with " + describe_exit(run.output.status);
}

KvmVerdict kvm_verdict(const QemuFacts& qemu, const StateRoots& roots, bool ask_again) {
  if (!qemu.kvm) {
    return unusable("this QEMU is built without KVM for this kind of processor", "");
  }
  if (!qemu.machines.contains("q35")) {
    return unusable("this QEMU has no machine `q35` to try KVM with", "");
  }
  if (auto verdict = verdict_by_device()) return *verdict;

  const ProbeCache cache(roots, "kvm", stamp_of(qemu.path));
  const std::int64_t now = std::time(nullptr);
  const json known = ask_again ? json() : cache.load();
  try {
    if (known.is_object() && known.at("boot") == boot_id() && !boot_id().empty() &&
        (known.at("until") == 0 || known.at("until") > now)) {
      const std::string problem = known.at("problem");
      return problem.empty() ? KvmVerdict{.works = true, .problem = {}, .help = {}}
                             : unusable(problem, firmware_help());
    }
  } catch (const json::exception&) {
    // Asked again below.
  }
  std::string problem = try_guest(qemu.path, "kvm", "host");
  if (!problem.empty()) problem = "/dev/kvm is there, but QEMU fails with it: " + problem;
  cache.store({{"boot", boot_id()},
               {"until", passing(problem) ? now + passing_seconds : 0},
               {"problem", problem}});
  if (!problem.empty()) return unusable(problem, firmware_help());
  return {.works = true, .problem = {}, .help = {}};
}

bool kvm_nested() {
  for (const char* module : {"kvm_intel", "kvm_amd"}) {
    const auto text = try_read_file(std::string("/sys/module/") + module + "/parameters/nested");
    if (text && !text->empty() && (text->front() == 'Y' || text->front() == '1')) return true;
  }
  return false;
}

}  // namespace qlaunch
