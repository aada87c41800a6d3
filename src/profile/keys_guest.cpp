// SPDX-License-Identifier: MIT
#include "profile/ports.hpp"
#include "profile/reader.hpp"
#include "profile/sections.hpp"
#include "profile/syntax.hpp"

namespace qlaunch {

Section guest_section() {
  return {
      .path = "guest",
      .meaning =
          "What the guest is told at boot: by a volume that cloud-init (NoCloud) and NixOS images "
          "made for Lima read, or by systemd credentials.",
      .keys =
          {
              {.name = "hostname",
               .meaning = "The guest's name.",
               .fallback_words = "the name that the VM was made with",
               .example = "hostname = \"nixos-sway\"",
               .form = check_hostname,
               .set = to(&Guest::hostname)},
              {.name = "via",
               .type = KeyType::choices,
               .meaning = "By what the guest is told; an empty list tells it nothing.",
               .fallback = "[\"volume\"]",
               .example = "via = [\"credentials\"]",
               .choices = {{"volume", int(GuestVia::volume),
                            "a volume labelled `cidata`, for cloud-init and for NixOS images made "
                            "for Lima"},
                           {"credentials", int(GuestVia::credentials),
                            "systemd credentials, for guests that have neither: hostname, user, "
                            "keys, time zone and locale"}},
               .set = to(&Guest::via)},
              {.name = "user",
               .meaning = "A user to make, who can log in by ssh.",
               .fallback_words = "the image's own (cloud-init), else root",
               .example = "user = \"nixos\"",
               .pattern = "^[a-z_][a-z0-9_-]{0,31}$",
               .form = check_user,
               .set = to(&Guest::user)},
              {.name = "uid",
               .type = KeyType::integer,
               .meaning = "That user's number.",
               .fallback_words = "yours on the host, unless that is 0",
               .example = "uid = 1000",
               .lowest = 1,
               .highest = 4294967294,
               .set = to(&Guest::uid)},
              {.name = "groups",
               .type = KeyType::strings,
               .meaning = "Further groups of that user.",
               .fallback = "[]",
               .example = "groups = [\"video\", \"audio\"]",
               .form = check_user,
               .set = to(&Guest::groups)},
              {.name = "shell",
               .meaning = "That user's login shell.",
               .fallback = "\"/bin/bash\"",
               .example = "shell = \"/bin/zsh\"",
               .form = check_guest_path,
               .set = to(&Guest::shell)},
              {.name = "sudo",
               .type = KeyType::boolean,
               .meaning = "Whether that user may become root without a password.",
               .fallback = "true",
               .example = "sudo = false",
               .set = to(&Guest::sudo)},
              {.name = "ssh_keys",
               .type = KeyType::words,
               .meaning =
                   "Who may log in, beside the key that qlaunch makes for the VM: `auto` is your "
                   "`~/.ssh/*.pub` and the keys of your ssh agent; or public keys, or files of "
                   "them. Keys by `auto` are looked up at each start, and come to be known at the "
                   "next boot.",
               .fallback = "[\"auto\"]",
               .example = "ssh_keys = [\"auto\", \"~/keys/team.pub\"]",
               .form = check_ssh_key,
               .path = PathRule::word,
               .set = to(&Guest::ssh_keys)},
              {.name = "forward_agent",
               .type = KeyType::boolean,
               .meaning = "Whether an ssh session lends the guest your ssh agent.",
               .fallback = "false",
               .example = "forward_agent = true",
               .set = to(&Guest::forward_agent)},
              {.name = "timezone",
               .meaning = "The guest's time zone.",
               .fallback_words = "the guest's own",
               .example = "timezone = \"Europe/Berlin\"",
               .form = check_timezone,
               .set = to(&Guest::timezone)},
              {.name = "locale",
               .meaning = "The guest's language.",
               .fallback_words = "the guest's own",
               .example = "locale = \"en_US.UTF-8\"",
               .form = check_locale,
               .set = to(&Guest::locale)},
              {.name = "packages",
               .type = KeyType::strings,
               .meaning = "Packages that cloud-init installs.",
               .fallback = "[]",
               .example = "packages = [\"git\", \"tmux\"]",
               .form = check_not_empty,
               .set = to(&Guest::packages)},
              {.name = "user_data",
               .meaning =
                   "A cloud-init file of your own (`#cloud-config`, or a script), merged with "
                   "what this section says: lists are joined, and single values of the file "
                   "win.",
               .fallback_words = "none",
               .example = "user_data = \"user-data.yaml\"",
               .path = PathRule::path,
               .set = to(&Guest::user_data)},
              {.name = "user_data_merged",
               .type = KeyType::boolean,
               .meaning = "Whether `user_data` is merged; if not, cloud-init gets it as it is, and "
                          "nothing else of this section but the hostname.",
               .fallback = "true",
               .example = "user_data_merged = false",
               .set = to(&Guest::user_data_merged)},
              {.name = "proxy",
               .meaning = "The web proxy that the guest is told of: `none`, `host` for what "
                          "`http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` say where `up` "
                          "runs (one on the host's own loopback under the address that the guest "
                          "knows the host by), or a URL.",
               .fallback = "\"none\"",
               .example = "proxy = \"host\"",
               .form = check_proxy,
               .set = to(&Guest::proxy)},
              {.name = "ca_certs",
               .type = KeyType::words,
               .meaning =
                   "Certificate authorities that the guest is to trust: files of the host in "
                   "PEM form, and `host` for those that were added to the host's own.",
               .fallback = "[]",
               .example = "ca_certs = [\"host\", \"~/company-ca.pem\"]",
               .form = check_ca_certs,
               .path = PathRule::word,
               .set = to(&Guest::ca_certs)},
              {.name = "environment",
               .type = KeyType::map,
               .meaning = "Variables for every login, and for the scripts of [[guest.run]].",
               .fallback = "{}",
               .example = "environment = { EDITOR = \"vim\" }",
               .form = check_variable_value,
               .key_form = check_variable_name,
               .set = to(&Guest::environment)},
              {.name = "credentials",
               .type = KeyType::map,
               .meaning =
                   "systemd credentials, handed over in SMBIOS; the names have dots, so they "
                   "stand in quotes.",
               .fallback = "{}",
               .example = "credentials = { \"ssh.authorized_keys.root\" = \"ssh-ed25519 AAAA… "
                          "you@host\" }",
               .key_form = check_credential_name,
               .set = to(&Guest::credentials)},
          },
      .object = [](Profile& profile) -> void* { return &profile.guest; },
  };
}

}  // namespace qlaunch
