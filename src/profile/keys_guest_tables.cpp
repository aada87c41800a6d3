// SPDX-License-Identifier: MIT
#include "profile/reader.hpp"
#include "profile/sections.hpp"
#include "profile/syntax.hpp"

namespace qlaunch {

Section guest_run_section() {
  return {
      .path = "guest.run",
      .shape = SectionShape::list,
      .meaning =
          "Scripts that the guest runs, in this order, when all else is done and the shares "
          "are mounted. At the first that fails it stops. What they say is in the log "
          "`provision`, and in the guest below `/var/lib/qlaunch/log`.",
      .keys =
          {
              {.name = "script",
               .meaning = "What is run, by /bin/sh or by the interpreter of its first line.",
               .example = "script = \"nixos-rebuild switch --flake /mnt/cfg#dev\"",
               .form = check_not_empty,
               .required = true,
               .set = to(&GuestRun::script)},
              {.name = "as",
               .type = KeyType::choice,
               .meaning = "Who runs it.",
               .fallback = "\"root\"",
               .example = "as = \"user\"",
               .choices = {{"root", int(RunAs::root)},
                           {"user", int(RunAs::user), "the user of [guest]"}},
               .set = to(&GuestRun::as)},
              {.name = "when",
               .type = KeyType::choice,
               .meaning = "How often.",
               .fallback = "\"once\"",
               .example = "when = \"boot\"",
               .choices = {{"once", int(RunWhen::once), "until it has succeeded once"},
                           {"boot", int(RunWhen::boot), "at each boot"}},
               .set = to(&GuestRun::when)},
          },
      .object = [](Profile& profile) -> void* { return &profile.guest.run.emplace_back(); },
  };
}

Section guest_file_section() {
  return {
      .path = "guest.file",
      .shape = SectionShape::list,
      .meaning = "Files that the guest gets.",
      .keys =
          {
              {.name = "path",
               .meaning = "Where, in the guest.",
               .example = "path = \"/etc/motd\"",
               .form = check_guest_path,
               .required = true,
               .set = to(&GuestFile::path)},
              {.name = "content",
               .meaning = "What is in it.",
               .fallback = "\"\"",
               .example = "content = \"Hello\\n\"",
               .set = to(&GuestFile::content)},
              {.name = "source",
               .meaning = "A file of the host whose bytes it gets, instead of `content`.",
               .fallback_words = "none",
               .example = "source = \"motd.txt\"",
               .path = PathRule::path,
               .set = to(&GuestFile::source)},
              {.name = "mode",
               .meaning = "Its permissions, in octal.",
               .fallback = "\"0644\"",
               .example = "mode = \"0600\"",
               .pattern = "^[0-7]{3,4}$",
               .form = check_file_mode,
               .set = to(&GuestFile::mode)},
              {.name = "owner",
               .meaning = "Whose it is: a user, or `user:group`.",
               .fallback = "\"root\"",
               .example = "owner = \"nixos:users\"",
               .form = check_owner,
               .set = to(&GuestFile::owner)},
          },
      .object = [](Profile& profile) -> void* { return &profile.guest.files.emplace_back(); },
  };
}

}  // namespace qlaunch
