// SPDX-License-Identifier: MIT
// The user that the tests run as gets a name: OpenSSH's programs refuse to work for a bare number.
// In a mount namespace of this process and its children, so that nobody else sees it.
#include "host/files.hpp"
#include "support/run.hpp"

#include <cstdlib>
#include <iostream>
#include <string>

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

/// Before any thread is there.
struct Named {
  Named() {
    if (geteuid() != 0) return;
    std::string path = "/tmp/qlaunch-passwd.XXXXXX";
    const qlaunch::UniqueFd file(mkstemp(path.data()));
    const auto id = std::to_string(test::user());
    const auto text = qlaunch::try_read_file("/etc/passwd").value_or("") + "tester:x:" + id + ':' +
                      id + ":the tests:/nonexistent:/bin/sh\n";
    const bool done =
        file && write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        fchmod(file.get(), 0644) == 0 && unshare(CLONE_NEWNS) == 0 &&
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        mount(path.c_str(), "/etc/passwd", nullptr, MS_BIND, nullptr) == 0;
    unlink(path.c_str());
    if (!done) std::cerr << "the tests' user gets no name here\n";
  }
};

const Named named;

}  // namespace
