// SPDX-License-Identifier: MIT
#include "vm/ssh_host_key.hpp"

#include "core/quote.hpp"
#include "core/text.hpp"
#include "guest/ssh_answers.hpp"
#include "guest/ssh_identity.hpp"
#include "host/files.hpp"
#include "vm/ssh_connection.hpp"
#include "vm/waiting.hpp"

namespace qlaunch {

GuestHostKey::GuestHostKey(SshLink& link, const LiveRecord& live)
    : link_(link),
      live_(live),
      path_(link.known_hosts),
      on_this_host_(forward_to(live, 22) != nullptr) {}

bool GuestHostKey::shown() const {
  const auto text = try_read_file(path_).value_or("");
  return !trim(text).empty() && !only_given(text);
}

void GuestHostKey::look() {
  link_.host_key_known = !trim(try_read_file(link_.known_hosts).value_or("")).empty();
}

void GuestHostKey::confirm() {
  const auto text = try_read_file(link_.known_hosts).value_or("");
  if (link_.known_hosts != path_ || only_given(text)) write_file_atomic(path_, once_shown(text));
  link_.known_hosts = path_;
  look();
}

void GuestHostKey::learn_other() {
  if (link_.known_hosts != path_) {
    link_.known_hosts = path_;
    throw changed();
  }
  const auto text = try_read_file(path_).value_or("");
  if (only_given(text)) {
    // A guest that takes no key has made its own, like one that was given none. On this host
    // nobody but QEMU listens on its port; on a bridge anybody may answer.
    if (!on_this_host_) throw changed();
    write_file_atomic(path_, "");
    return;
  }
  // It may have taken the given key only now: whoever shows that one is no other. The known one
  // stays known until it has: this attempt may be cut off.
  const auto identity = find_ssh_identity(ssh_folder(live_.plan.paths));
  if (!identity || knows_key(text, identity->host_public_key)) throw changed();
  link_.known_hosts = path_ + ".given";
  write_file_atomic(link_.known_hosts, given_known_hosts(identity->host_public_key));
}

Error GuestHostKey::changed() const {
  const auto name = shell_quote(live_.name);
  StateError error("the guest of VM " + in_backticks(live_.name) +
                   " shows another host key than the known one");
  error.help(
      "it does so after it was installed anew, or its disk was exchanged; then `qlaunch "
      "ssh --accept-host-key " +
      name + "` learns the new key");
  if (!on_this_host_)
    error.help("if neither is the case, another machine answers at " + link_.host);
  return error;
}

}  // namespace qlaunch
