// SPDX-License-Identifier: MIT
#include "seed/debian.hpp"

#include "core/text.hpp"
#include "host/files.hpp"

#include <chrono>

#include <doctest/doctest.h>

#include <sys/wait.h>

namespace debian {

std::string profile_head(const std::string& name, const std::string& folder, bool agent) {
  return "name = \"" + name +
         "\"\nmachine.memory = \"768 MiB\"\nmachine.accel = \"tcg\"\n"
         "machine.guest_agent = " +
         (agent ? "true" : "false") + "\n" + "kernel.image = \"" + folder +
         "/vmlinux\"\nkernel.initrd = \"" + folder +
         "/initrd\"\nkernel.cmdline = \"console=ttyS0 cryptomgr.notests quiet panic=-1" +
         (agent ? " cloud-init=disabled" : "") + "\"\n" +
         "display.type = \"none\"\nready = { when = \"" + (agent ? "agent" : "provisioned") +
         "\", timeout = \"5m\" }\n[[disk]]\nname = \"root\"\nsize = \"2 GiB\"\nimage = \"" +
         folder + "/debian.qcow2\"\n";
}

test::Result ssh(const test::Home& home, const std::string& vm, const std::string& user,
                 const std::string& script) {
  const auto port = std::string(qlaunch::trim(home.run({"status", vm, "--get", "ssh_port"}).out));
  const auto keys = home.path() + "/data/" + vm + "/ssh/keys/";
  const auto known = home.write(
      "known", "[127.0.0.1]:" + port + ' ' + qlaunch::read_file(keys + "ssh_host_ed25519_key.pub"));
  qlaunch::SpawnOptions options;
  options.argv = {"ssh", "-F", "none", "-q", "-T", "-p", port, "-i", keys + "id_ed25519"};
  for (const auto& option :
       {"UserKnownHostsFile=\"" + known + '"', std::string("StrictHostKeyChecking=yes"),
        std::string("IdentitiesOnly=yes"), std::string("BatchMode=yes"),
        std::string("ConnectTimeout=60")})
    options.argv.insert(options.argv.end(), {"-o", option});
  options.argv.insert(options.argv.end(), {user + "@127.0.0.1", script});
  options.environment = {"SSH_AUTH_SOCK"};
  const auto done =
      qlaunch::run_and_capture(options, std::chrono::minutes(3), std::size_t{1} << 20);
  return {WIFEXITED(done.status) ? WEXITSTATUS(done.status) : 128, done.out, done.err};
}

std::map<std::string, std::string> facts(const std::string& output) {
  std::map<std::string, std::string> found;
  for (const auto& line : qlaunch::split(output, '\n')) {
    const auto equals = line.find('=');
    if (equals != std::string::npos) found[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return found;
}

}  // namespace debian
