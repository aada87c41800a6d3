// SPDX-License-Identifier: MIT
#include "host/exec.hpp"

#include "core/error.hpp"
#include "core/quote.hpp"
#include "host/spawn.hpp"

#include <cerrno>
#include <csignal>

#include <unistd.h>

namespace qlaunch {

void become(const std::vector<std::string>& argv) {
  const auto file = argv.empty() ? std::string() : find_program(argv.front());
  if (file.empty())
    throw Error(in_backticks(argv.empty() ? "" : argv.front()) + " is not found in PATH");
  std::vector<std::string> words = argv;
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  // This program ignores it; another would write on and on into a pipe that nobody reads.
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execv(file.c_str(), pointers.data());
  const int error = errno;
  std::signal(SIGPIPE, SIG_IGN);
  throw system_error("cannot start " + in_backticks(file), error);
}

}  // namespace qlaunch
