// SPDX-License-Identifier: MIT
// qmp_status SOCKET: says what a QEMU is and does.
#include <iostream>
#include <qmp/message.hpp>
#include <qmp/requests.hpp>
#include <qmp/sync.hpp>

#include <nlohmann/json.hpp>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: qmp_status SOCKET\n";
    return 2;
  }
  try {
    qmp::SyncClient vm(argv[1]);
    const auto& version = vm.greeting().version.at("qemu");
    std::cout << "QEMU " << version.at("major") << '.' << version.at("minor") << ": "
              << vm.call(qmp::query_status()).status << '\n';
    for (const auto& cpu : vm.execute("query-cpus-fast")) {
      std::cout << "cpu " << cpu.at("cpu-index") << ": thread " << cpu.at("thread-id") << '\n';
    }
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
