// SPDX-License-Identifier: MIT
#include "plan/seed/told.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "plan/identity.hpp"
#include "plan/seed/proxies.hpp"
#include "plan/seed/public_keys.hpp"
#include "plan/seed/yaml.hpp"

#include <algorithm>

namespace qlaunch::seed {

using planner::Draft;
using planner::key_of;

namespace {

constexpr std::string_view certificate_begin = "-----BEGIN CERTIFICATE-----";
constexpr std::string_view certificate_end = "-----END CERTIFICATE-----";

/// A file of the host that the profile names, with an error where it is none.
std::optional<std::string> read(Draft& draft, const std::string& key, const std::string& path) {
  const auto fact = draft.file(path);
  const auto fail = [&](const std::string& why) {
    draft.error(key, in_backticks(path) + ' ' + why);
    return std::nullopt;
  };
  if (fact.kind == FileFact::Kind::missing) return fail("does not exist");
  if (fact.kind != FileFact::Kind::file) return fail("is not a file");
  if (!fact.readable) return fail("cannot be read");
  constexpr std::uint64_t most = mib;
  if (fact.size > most) {
    draft
        .error(key, in_backticks(path) + " is too big to be told to a guest: it has " +
                        format_size(fact.size) + ", and there is room for " + format_size(most))
        .help.emplace_back("share its folder with a [[share]] instead");
    return std::nullopt;
  }
  auto text = draft.facts.read ? draft.facts.read(path) : std::nullopt;
  if (!text) return fail("cannot be read");
  return text;
}

/// A name for the guest out of any name of a VM.
std::string hostname_from(std::string name) {
  name.resize(std::min(name.find('#'), name.size()));
  for (char& character : name) {
    const bool fits = (character >= 'a' && character <= 'z') ||
                      (character >= 'A' && character <= 'Z') ||
                      (character >= '0' && character <= '9');
    if (!fits) character = '-';
  }
  constexpr std::size_t longest = 63;
  name.resize(std::min(name.size(), longest));
  while (name.ends_with('-')) name.pop_back();
  name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
  return name.empty() ? "guest" : name;
}

std::string hostname(const Draft& draft) {
  const auto& given = draft.profile.guest.hostname;
  if (!given.empty()) return given;
  // A run of which nothing is left is another one each time; its guest need not notice.
  const auto& of = draft.input.ephemeral_of;
  return hostname_from(of.empty() || draft.input.warm ? draft.identity()
                                                      : of.substr(of.rfind('/') + 1));
}

void add_key(std::vector<std::string>& keys, const std::vector<std::string>& others,
             const std::string& line) {
  const auto known = [&](const std::vector<std::string>& all) {
    return std::any_of(all.begin(), all.end(),
                       [&](const auto& each) { return key_body(each) == key_body(line); });
  };
  if (!known(keys) && !known(others)) keys.push_back(line);
}

void gather_keys(Draft& draft, Told& told) {
  const auto& words = draft.profile.guest.ssh_keys;
  bool automatic = false;
  for (std::size_t index = 0; index < words.size(); ++index) {
    const auto& word = words[index];
    const auto key = key_of("guest.ssh_keys", index);
    if (word == "auto") {
      automatic = true;
      continue;
    }
    if (!word.starts_with('/')) {
      add_key(told.keys, {}, word);
      continue;
    }
    const auto text = read(draft, key, word);
    if (!text) continue;
    const auto found = public_keys(*text);
    if (!found.problem.empty()) {
      auto& error = draft.error(key, in_backticks(word) + " is " + found.problem);
      if (found.problem == "a private key")
        error.help.push_back("name the public one, " + in_backticks(word + ".pub") +
                             ": the private one is nobody else's to have");
      else
        error.help.emplace_back("each of its lines is to be a key, as in a .pub file");
    }
    for (const auto& line : found.lines) add_key(told.keys, {}, line);
  }
  if (!automatic) return;
  for (const auto& line : draft.facts.ssh_public_keys) add_key(told.found_keys, told.keys, line);
}

void add_certificates(std::vector<std::string>& out, std::string_view text) {
  for (;;) {
    const auto begin = text.find(certificate_begin);
    const auto end = text.find(certificate_end, begin);
    if (begin == std::string_view::npos || end == std::string_view::npos) return;
    auto one = std::string(text.substr(begin, end + certificate_end.size() - begin)) + '\n';
    std::erase(one, '\r');
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(std::move(one));
    text.remove_prefix(end + certificate_end.size());
  }
}

void gather_certificates(Draft& draft, Told& told) {
  const auto& words = draft.profile.guest.ca_certs;
  for (std::size_t index = 0; index < words.size(); ++index) {
    if (words[index] == "host") {
      for (const auto& text : draft.facts.ca_certificates) add_certificates(told.ca_certs, text);
      continue;
    }
    const auto key = key_of("guest.ca_certs", index);
    const auto text = read(draft, key, words[index]);
    if (!text) continue;
    const auto before = told.ca_certs.size();
    if (text->find("PRIVATE KEY") != std::string::npos) {
      draft.error(key, in_backticks(words[index]) + " holds a private key")
          .help.emplace_back("name a file with the certificate alone");
      continue;
    }
    add_certificates(told.ca_certs, *text);
    if (text->find(certificate_begin) == std::string::npos && told.ca_certs.size() == before)
      draft.error(key, in_backticks(words[index]) + " holds no certificate in PEM form")
          .help.push_back("it would begin with " + in_backticks(certificate_begin));
  }
}

void gather_files(Draft& draft, Told& told) {
  const auto& files = draft.profile.guest.files;
  for (std::size_t index = 0; index < files.size(); ++index) {
    const auto& file = files[index];
    ToldFile out{file.path, file.content, file.mode, file.owner};
    if (out.mode.size() == 3) out.mode.insert(0, "0");
    if (!file.source.empty()) {
      auto text = read(draft, key_of("guest.file", index, "source"), file.source);
      if (!text) continue;
      out.content = std::move(*text);
    }
    told.files.push_back(std::move(out));
  }
}

/// What a script is called in messages: the first of its lines that does something.
std::string label_of(const std::string& text, std::size_t index) {
  constexpr std::size_t longest = 40;
  std::string label = "script " + std::to_string(index + 1);
  for (const auto& each : split(text, '\n')) {
    const auto line = trim(each);
    if (line.empty() || line.front() == '#' || line.starts_with("set -")) continue;
    auto characters = decode_utf8_lossy(line);
    if (characters.size() > longest) {
      characters.resize(longest);
      while (characters.ends_with(U' ')) characters.pop_back();
      characters += U'…';
    }
    return label + " (" + printable(encode_utf8(characters)) + ')';
  }
  return label;
}

void gather_scripts(const Guest& guest, Told& told) {
  for (std::size_t index = 0; index < guest.run.size(); ++index) {
    const auto& run = guest.run[index];
    ToldScript script;
    script.text = run.script.starts_with("#!") ? run.script : "#!/bin/sh\n" + run.script;
    if (!script.text.ends_with('\n')) script.text += '\n';
    script.label = label_of(run.script, index);
    script.as_user = run.as == RunAs::user;
    script.every_boot = run.when == RunWhen::boot;
    const auto again = std::to_string(
        std::count_if(told.scripts.begin(), told.scripts.end(), [&](const ToldScript& each) {
          return each.text == script.text && each.as_user == script.as_user;
        }));
    script.mark = hexadecimal(
        planner::stable_hash({script.text, script.as_user ? "user" : "root", again}), 16);
    told.scripts.push_back(std::move(script));
  }
}

bool plain_in_fstab(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/_.+-@").find(c) != std::string_view::npos;
  });
}

void gather_mounts(const Profile& profile, Told& told) {
  for (const auto& share : profile.shares) {
    if (share.mount.empty()) continue;
    auto [type, options] = mount_words(share);
    ToldMount mount{share.tag, share.mount == "same" ? share.path : share.mount, std::move(type),
                    std::move(options), true};
    mount.plain = plain_in_fstab(mount.tag) && plain_in_fstab(mount.path) &&
                  // cloud-init takes these for its own words.
                  !mount.tag.starts_with("ephemeral") && !mount.tag.starts_with("swap") &&
                  !mount.tag.starts_with('/') && mount.tag.find('.') == std::string::npos &&
                  // It stands without quotes, and one word that is no text spoils the whole file.
                  yaml_text(mount.tag) == mount.tag;
    told.mounts.push_back(std::move(mount));
  }
}

void gather_networks(const Draft& draft, Told& told) {
  std::size_t card = 0;
  for (const auto& network : draft.profile.networks) {
    if (network.mode == NetworkMode::none || card >= draft.plan.macs.size()) continue;
    told.networks.push_back(
        {network.name, draft.plan.macs[card++], network.mode != NetworkMode::socket});
  }
}

void gather_user_data(Draft& draft, Told& told) {
  const auto& guest = draft.profile.guest;
  if (guest.user_data.empty()) return;
  told.user_data_merged = guest.user_data_merged;
  told.user_data = read(draft, "guest.user_data", guest.user_data);
}

}  // namespace

std::pair<std::string, std::string> mount_words(const Share& share) {
  const std::string access = share.readonly ? "ro" : "rw";
  if (share.driver == ShareDriver::virtiofs) return {"virtiofs", access + ",nofail"};
  return {"9p", "trans=virtio,version=9p2000.L,msize=524288," + access + ",nofail"};
}

Told gather(Draft& draft) {
  const auto& guest = draft.profile.guest;
  Told told;
  told.identity = draft.identity();
  told.hostname = hostname(draft);
  told.user = guest.user;
  told.shell = guest.shell;
  told.uid = guest.uid;
  if (!told.uid && !guest.user.empty() && guest.user != "root" && draft.facts.uid != 0)
    told.uid = draft.facts.uid;
  told.groups = guest.groups;
  told.sudo = guest.sudo;
  told.own_keys = draft.input.sockets == SocketStyle::descriptor;
  told.timezone = guest.timezone;
  told.locale = guest.locale;
  told.packages = guest.packages;
  told.environment = guest.environment;
  told.proxies = proxy_variables(draft.profile, draft.facts);
  gather_keys(draft, told);
  gather_certificates(draft, told);
  gather_files(draft, told);
  gather_scripts(guest, told);
  gather_mounts(draft.profile, told);
  gather_networks(draft, told);
  gather_user_data(draft, told);
  return told;
}

}  // namespace qlaunch::seed
