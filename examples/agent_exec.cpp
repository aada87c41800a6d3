// SPDX-License-Identifier: MIT
// agent_exec SOCKET PROGRAM [ARGUMENT...]: runs a program in a guest through its agent, with this
// one's standard input, and passes on what it writes and its exit code.
#include <iostream>
#include <iterator>
#include <qmp/agent.hpp>
#include <qmp/guest.hpp>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: agent_exec SOCKET PROGRAM [ARGUMENT...]\n";
    return 2;
  }
  try {
    qmp::Agent guest(argv[1]);
    qmp::ExecRequest request{argv[2], {argv + 3, argv + argc}};
    request.input.assign(std::istreambuf_iterator<char>(std::cin), {});
    const auto result = guest.exec(request, std::chrono::minutes(1));
    std::cout << result.out;
    std::cerr << result.err;
    return result.code.value_or(128 + result.signal.value_or(0));
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << '\n';
    return 125;
  }
}
