// SPDX-License-Identifier: MIT
#include "plan/seed/proxies.hpp"

#include "core/text.hpp"
#include "profile/syntax.hpp"

#include <algorithm>
#include <string_view>

namespace qlaunch::seed {
namespace {

std::string capitals(std::string text) {
  for (char& character : text) {
    if (character >= 'a' && character <= 'z') character = static_cast<char>(character - 'a' + 'A');
  }
  return text;
}

/// The URL with another host where its own is the loopback.
std::string seen_from_guest(const std::string& url, const std::string& host) {
  if (host.empty()) return url;
  const auto scheme = url.find("://");
  auto begin = scheme == std::string::npos ? 0 : scheme + 3;
  const auto end = std::min(url.find('/', begin), url.size());
  if (const auto at = url.rfind('@', end); at != std::string::npos && at >= begin) begin = at + 1;
  for (const std::string_view name : {"localhost", "127.0.0.1", "[::1]"}) {
    const auto after = begin + name.size();
    if (url.compare(begin, name.size(), name) == 0 &&
        (after >= end || url[after] == ':' || url[after] == '/'))
      return url.substr(0, begin) + host + url.substr(after);
  }
  return url;
}

}  // namespace

std::string host_address(const Network& network) {
  // QEMU's own choice: the second address of the network.
  if (network.subnet.empty()) return "10.0.2.2";
  const auto slash = network.subnet.find('/');
  const auto base = parse_ipv4(network.subnet.substr(0, slash));
  const auto bits =
      slash == std::string::npos ? std::nullopt : parse_unsigned(network.subnet.substr(slash + 1));
  if (!base || !bits || *bits > 32) return {};
  const auto mask = *bits == 0 ? 0U : ~0U << (32U - static_cast<unsigned>(*bits));
  const auto address = (*base & mask) + 2;
  std::string out;
  for (unsigned shift = 32; shift > 0; shift -= 8)
    out += (out.empty() ? "" : ".") + std::to_string((address >> (shift - 8)) & 0xffU);
  return out;
}

std::map<std::string, std::string> proxy_variables(const Profile& profile, const HostFacts& facts) {
  const auto& proxy = profile.guest.proxy;
  std::map<std::string, std::string> small;
  if (proxy == "none") return small;
  if (proxy == "host") {
    small = facts.proxies;
  } else {
    small = {{"http_proxy", proxy}, {"https_proxy", proxy}};
  }
  if (small.empty()) return small;
  if (!small.contains("no_proxy")) small["no_proxy"] = "localhost,127.0.0.1,::1";
  const auto user =
      std::find_if(profile.networks.begin(), profile.networks.end(),
                   [](const Network& each) { return each.mode == NetworkMode::user; });
  const auto host = user == profile.networks.end() ? std::string() : host_address(*user);
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : small) {
    const auto seen = name == "no_proxy" ? value : seen_from_guest(value, host);
    out[name] = seen;
    out[capitals(name)] = seen;
  }
  return out;
}

}  // namespace qlaunch::seed
