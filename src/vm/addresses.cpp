// SPDX-License-Identifier: MIT
#include "vm/addresses.hpp"

#include "host/files.hpp"
#include "vm/agent_socket.hpp"
#include "vm/journal.hpp"

#include <chrono>
#include <ctime>
#include <filesystem>

namespace qlaunch {
namespace {

std::string addresses_path(const LiveRecord& live) {
  return live.plan.paths.runtime + "/addresses.json";
}

void add_leases(std::vector<GuestAddressFact>& all, const std::string& path,
                const std::vector<std::string>& cards) {
  const auto text = try_read_file(path);
  if (!text) return;
  const auto some = lease_addresses(*text, cards, static_cast<long long>(std::time(nullptr)));
  all.insert(all.end(), some.begin(), some.end());
}

}  // namespace

std::optional<GuestAddresses> read_addresses(const LiveRecord& live) {
  const auto text = try_read_file(addresses_path(live));
  if (!text) return std::nullopt;
  auto addresses = addresses_from_json(*text);
  if (addresses.time.empty()) return std::nullopt;
  return addresses;
}

std::optional<GuestAddresses> ask_addresses(const LiveRecord& live, Duration patience) {
  if (live.plan.descriptor("agent") == nullptr) return std::nullopt;
  const qmp::Deadline deadline(patience);
  try {
    qmp::AgentOptions options;
    options.reply = std::chrono::duration_cast<std::chrono::milliseconds>(patience);
    options.line_cap = std::size_t{1} << 20;
    AgentSocket socket(live, patience, options);
    const auto request = qmp::guest_interfaces();
    const auto told = socket.agent().execute(request.command, request.arguments, deadline);
    GuestAddresses addresses{agent_addresses(request.read(told), live.plan.macs), timestamp()};
    write_file_atomic(addresses_path(live), addresses_to_json(addresses), 0600, Durability::quick);
    return addresses;
  } catch (const std::exception&) {
    // No agent, one that does not tell, or a VM that has just ended.
    return std::nullopt;
  }
}

std::vector<GuestAddressFact> addresses_on_bridges(const std::vector<std::string>& cards) {
  std::vector<GuestAddressFact> all =
      arp_addresses(try_read_file("/proc/net/arp").value_or(""), cards);
  // A lease says where a guest was told to be; the neighbour table, where it is.
  if (!all.empty()) return all;
  add_leases(all, "/var/lib/misc/dnsmasq.leases", cards);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/var/lib/libvirt/dnsmasq", error)) {
    const auto kind = entry.path().extension();
    if (kind == ".status" || kind == ".leases") add_leases(all, entry.path().string(), cards);
  }
  return all;
}

}  // namespace qlaunch
