// SPDX-License-Identifier: MIT
// What is known of a guest's host key while a way to its ssh server is opened: which key to expect,
// and whether another may be learned. Connects to nothing.
#pragma once

#include "core/error.hpp"
#include "guest/ssh_link.hpp"
#include "vm/live.hpp"

#include <string>

namespace qlaunch {

class GuestHostKey {
 public:
  /// Of the link's known_hosts file. Who calls more than shown() is the only one to do so.
  GuestHostKey(SshLink& link, const LiveRecord& live);

  /// A key is known, and the guest has shown it.
  bool shown() const;

  /// Before each attempt: another command may have learned one.
  void look();

  /// The server has shown a key that was accepted, whatever it said then.
  void confirm();

  /// The server has shown another one; the link is ready for another attempt. Throws where no other
  /// key than the known one will do.
  void learn_other();

 private:
  Error changed() const;

  SshLink& link_;
  const LiveRecord& live_;
  const std::string path_;
  bool on_this_host_;
};

}  // namespace qlaunch
