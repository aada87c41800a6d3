// SPDX-License-Identifier: MIT
// The form of single values: names, addresses, digests, dates. Each check looks at one text alone;
// what values say together is checked in check.hpp.
#pragma once

#include "profile/keys.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace qlaunch {

std::optional<Problem> check_vm_name(std::string_view text);
/// Of a disk or a network: becomes part of QEMU's ids.
std::optional<Problem> check_element_name(std::string_view text);
std::optional<Problem> check_machine_type(std::string_view text);
std::optional<Problem> check_rtc(std::string_view text);
std::optional<Problem> check_uuid(std::string_view text);
std::optional<Problem> check_cpu_model(std::string_view text);
std::optional<Problem> check_cpu_feature(std::string_view text);
std::optional<Problem> check_one_line(std::string_view text);
std::optional<Problem> check_not_empty(std::string_view text);
std::optional<Problem> check_serial_number(std::string_view text);
std::optional<Problem> check_url(std::string_view text);
std::optional<Problem> check_sha512(std::string_view text);
std::optional<Problem> check_sha256(std::string_view text);
std::optional<Problem> check_mac(std::string_view text);
std::optional<Problem> check_hostname(std::string_view text);
std::optional<Problem> check_interface(std::string_view text);
std::optional<Problem> check_ipv4(std::string_view text);
std::optional<Problem> check_subnet(std::string_view text);
/// "address:port"; a listener may leave the address out, a peer may not.
std::optional<Problem> check_endpoint(std::string_view text);
std::optional<Problem> check_peer(std::string_view text);
std::optional<Problem> check_multicast(std::string_view text);
std::optional<Problem> check_tag(std::string_view text);
std::optional<Problem> check_mount(std::string_view text);
std::optional<Problem> check_user(std::string_view text);
std::optional<Problem> check_ssh_key(std::string_view text);
std::optional<Problem> check_guest_path(std::string_view text);
std::optional<Problem> check_file_mode(std::string_view text);
/// "user" or "user:group".
std::optional<Problem> check_owner(std::string_view text);
/// "none", "host" or a URL.
std::optional<Problem> check_proxy(std::string_view text);
std::optional<Problem> check_ca_certs(std::string_view text);
/// What fits on one line, as a variable for every login has to.
std::optional<Problem> check_variable_value(std::string_view text);
std::optional<Problem> check_timezone(std::string_view text);
std::optional<Problem> check_locale(std::string_view text);
std::optional<Problem> check_variable_name(std::string_view text);
std::optional<Problem> check_credential_name(std::string_view text);

/// The first character that is neither an ASCII letter nor a digit nor one of `others`.
std::optional<Problem> only_characters(std::string_view text, std::string_view others,
                                       std::string help);

/// "1.2.3.4" as a number in host order.
std::optional<std::uint32_t> parse_ipv4(std::string_view text);

}  // namespace qlaunch
