// SPDX-License-Identifier: MIT
// Texts about ports and readiness: "2223:22", "8000-8010", "serial:login:". Pure; asks no system
// whether a port is free.
#pragma once

#include "profile/keys.hpp"
#include "profile/profile.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace qlaunch {

/// `[proto:][host ip:]host port:guest port`, "auto:22", ranges "8000-8010:8000-8010", which become
/// one Forward for each port. Either `forwards` or a problem.
struct ParsedForward {
  std::vector<Forward> forwards;
  std::optional<Problem> problem;
};
ParsedForward parse_forward(std::string_view text);

/// How a forward is written: "2223:22", "udp:127.0.0.1:5353:53".
std::string forward_text(const Forward& forward);

struct ParsedPorts {
  PortRange range;
  std::optional<Problem> problem;
};
/// "1024-65535" or "8080".
ParsedPorts parse_ports(std::string_view text);

struct ParsedAutoForward {
  AutoForward rule;
  std::optional<Problem> problem;
};
/// `[!][proto:][host ports:]guest ports`: "1024-65535", "!9000-9099", "udp:5353", "13000:3000",
/// "auto:80".
ParsedAutoForward parse_auto_forward(std::string_view text);

/// As it is written in a profile.
std::string auto_forward_text(const AutoForward& rule);

struct ParsedReady {
  ReadyWhen when;
  std::optional<Problem> problem;
};
/// "ssh", "agent", "provisioned", "started", "serial:TEXT", "port:N".
ParsedReady parse_ready(std::string_view text);

/// As the table of keys wants them.
std::optional<Problem> check_forward(std::string_view text);
std::optional<Problem> check_ports(std::string_view text);
std::optional<Problem> check_auto_forward(std::string_view text);
std::optional<Problem> check_ready(std::string_view text);

}  // namespace qlaunch
