// SPDX-License-Identifier: MIT
#include "plan/network.hpp"

#include "core/packages.hpp"
#include "core/quote.hpp"
#include "plan/boot_order.hpp"
#include "plan/identity.hpp"
#include "profile/syntax.hpp"

namespace qlaunch::planner {

namespace {

/// Takes ports for "auto" from the input, in the order of their appearance in the whole profile.
class AutoPorts {
 public:
  explicit AutoPorts(const PlanInput& input) : input_(input) {}
  std::uint16_t next() {
    const auto index = used_++;
    return index < input_.auto_ports.size() ? input_.auto_ports[index] : std::uint16_t{0};
  }

 private:
  const PlanInput& input_;
  std::size_t used_ = 0;
};

Value forwards(Draft& draft, std::size_t index, const std::string& id, AutoPorts& ports) {
  const auto& network = draft.profile.networks[index];
  Value list = Value::list();
  for (std::size_t number = 0; number < network.forward.size(); ++number) {
    auto forward = network.forward[number];
    const auto key = key_of(key_of("network", index, "forward"), number);
    if (forward.host_port == 0) forward.host_port = ports.next();
    if (forward.host_address.find(':') != std::string::npos) {
      draft.error(key, "QEMU forwards from IPv4 addresses only, not from " +
                           in_backticks(forward.host_address));
    }
    const std::string text = std::string(forward.protocol == Protocol::tcp ? "tcp" : "udp") + ':' +
                             forward.host_address + ':' + std::to_string(forward.host_port) +
                             "-:" + std::to_string(forward.guest_port);
    list.push_back({{"str", text}});
    draft.plan.forwards.push_back({id, forward, draft.profile.where(key)});
  }
  return list;
}

/// The address that QEMU's user network gives the guest, and leads forwards to.
std::string first_lease(const std::string& subnet) {
  const auto address = parse_ipv4(subnet.substr(0, subnet.find('/')));
  if (!address) return "10.0.2.15";
  const auto lease = *address | 0x0fU;
  std::string out;
  for (const unsigned shift : {24U, 16U, 8U, 0U})
    out += (out.empty() ? "" : ".") + std::to_string(lease >> shift & 0xffU);
  return out;
}

Value user_backend(Draft& draft, std::size_t index, const std::string& id, AutoPorts& ports) {
  const auto& network = draft.profile.networks[index];
  Value netdev{{"type", "user"}, {"id", id}};
  const auto set = [&netdev](const char* name, const std::string& value) {
    if (!value.empty()) netdev[name] = value;
  };
  set("net", network.subnet);
  set("dns", network.dns);
  set("hostname", network.hostname);
  set("domainname", network.domain);
  if (network.restrict) netdev["restrict"] = true;
  if (auto list = forwards(draft, index, id, ports); !list.empty())
    netdev["hostfwd"] = std::move(list);
  if (!network.auto_forward.empty())
    draft.plan.auto_forward = PlannedAutoForward{
        id, network.auto_forward, network.auto_forward_taken, first_lease(network.subnet)};
  return netdev;
}

Value bridge_backend(Draft& draft, std::size_t index, const std::string& id) {
  const auto& network = draft.profile.networks[index];
  if (draft.facts.bridge_helper.empty()) {
    draft
        .error(key_of("network", index, "mode"),
               "a network of mode bridge needs qemu-bridge-helper, which is not installed")
        .help.push_back(install_help("qemu-bridge-helper"));
  }
  // A script cannot be handed a tap device: there QEMU starts the helper itself, see process.cpp.
  if (draft.input.sockets == SocketStyle::path)
    return {{"type", "bridge"},
            {"id", id},
            {"br", network.bridge},
            {"helper", draft.facts.bridge_helper}};
  const int number = draft.bridge_tap("tap-" + id, network.bridge);
  return {{"type", "tap"}, {"id", id}, {"fd", std::to_string(number)}};
}

/// The -netdev, or null for a mode that has none.
Value backend(Draft& draft, std::size_t index, const std::string& id, AutoPorts& ports,
              std::string& rule) {
  const auto& network = draft.profile.networks[index];
  switch (network.mode) {
    case NetworkMode::user:
      rule =
          "QEMU's own network: no rights needed, the guest reaches out, and in through "
          "forwarded ports only";
      return user_backend(draft, index, id, ports);
    case NetworkMode::bridge:
      rule =
          "the guest is a machine of its own on the host's bridge; qemu-bridge-helper makes the "
          "tap device, as far as /etc/qemu/bridge.conf allows";
      return bridge_backend(draft, index, id);
    case NetworkMode::tap:
      rule = "a tap device that exists already; no script is run as root";
      return {{"type", "tap"},
              {"id", id},
              {"ifname", network.tap},
              {"script", "no"},
              {"downscript", "no"}};
    case NetworkMode::socket: {
      rule = "a cable between VMs, without the host";
      Value netdev{{"type", "socket"}, {"id", id}};
      if (!network.listen.empty()) netdev["listen"] = network.listen;
      if (!network.connect.empty()) netdev["connect"] = network.connect;
      if (!network.multicast.empty()) netdev["mcast"] = network.multicast;
      return netdev;
    }
    case NetworkMode::none:
      break;
  }
  return {};
}

void add_card(Draft& draft, std::size_t index, const std::string& id, int boot_index) {
  const auto& network = draft.profile.networks[index];
  const auto key = key_of("network", index);
  if (draft.board == Board::microvm && network.model != "virtio")
    return draft.not_on_microvm(key_of("network", index, "model"),
                                "a network card " + in_backticks(network.model));
  auto mac = network.mac;
  std::string rule =
      "the MAC address follows from the names of VM, network and host, so that it "
      "stays and no two hosts share it";
  if (mac.empty()) {
    mac = derived_mac(draft.identity(), network.name, draft.facts.machine_id);
  } else {
    rule = "the network card, with the MAC address of the profile";
  }
  draft.plan.macs.push_back(mac);
  Value device{{"driver", network.model == "virtio" ? draft.virtio("virtio-net") : network.model},
               {"id", qemu_id("nic-", network.name)},
               {"netdev", id},
               {"mac", mac}};
  if (boot_index > 0) {
    device["bootindex"] = boot_index;
  } else if (draft.board != Board::microvm) {
    device["romfile"] = "";
    rule += "; no boot ROM: nothing boots from this network, and the ROM costs time";
  }
  draft.device(device, draft.because(key, rule), key_of("network", index, "model"));
}

}  // namespace

void add_network(Draft& draft) {
  const auto order = boot_order(draft.profile);
  AutoPorts ports(draft.input);
  for (std::size_t index = 0; index < draft.profile.networks.size(); ++index) {
    const auto& network = draft.profile.networks[index];
    const auto id = qemu_id("", network.name);
    std::string rule;
    const auto netdev = backend(draft, index, id, ports, rule);
    if (netdev.is_null()) continue;
    draft.json_option("-netdev", netdev, draft.because(key_of("network", index), rule));
    add_card(draft, index, id, order.networks[index]);
  }
}

}  // namespace qlaunch::planner
