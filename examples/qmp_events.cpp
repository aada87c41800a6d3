// SPDX-License-Identifier: MIT
// qmp_events SOCKET: prints what happens in a QEMU, as JSON lines, until it ends.
#include <exception>
#include <iostream>
#include <qmp/client.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace {

boost::asio::awaitable<void> print_events(const char* path) {
  auto vm = co_await qmp::Client::connect(path);
  auto events = vm.subscribe({});  // before the question: nothing falls in between
  const auto status = co_await vm.execute("query-status");
  std::cout << status << std::endl;
  try {
    while (const auto event = co_await events.next_event()) {
      std::cout << nlohmann::json{{"event", event->name}, {"data", event->data}} << std::endl;
    }
  } catch (const qmp::Gone&) {
    if (events.overflowed()) std::cerr << events.lost() << " events were lost\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: qmp_events SOCKET\n";
    return 2;
  }
  try {
    boost::asio::io_context context;
    boost::asio::co_spawn(context, print_events(argv[1]), [](const std::exception_ptr& problem) {
      if (problem) std::rethrow_exception(problem);
    });
    context.run();
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
