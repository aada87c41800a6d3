// SPDX-License-Identifier: MIT
#include "cli/each.hpp"

#include "cli/failure.hpp"
#include "cli/interrupt.hpp"
#include "cli/options.hpp"
#include "vm/catalog.hpp"

#include <mutex>
#include <optional>
#include <thread>

namespace qlaunch {

int for_each_vm(const std::vector<std::string>& words, const Terminal& terminal, Progress& progress,
                const std::function<std::string(const std::string& name)>& work) {
  std::mutex printing;
  // A name and its profile may stand for one VM.
  std::vector<std::string> names;
  std::optional<Error> unknown;
  for (const auto& word : words) {
    try {
      names.push_back(find_vm(word));
    } catch (const Error& error) {
      terminal.complain(error);
      if (!unknown) unknown = error;
    }
  }
  names = without_repeats(names);
  std::vector<int> codes(names.size());
  std::exception_ptr output_failure;
  const auto one = [&](std::size_t index) {
    try {
      const auto how = work(names[index]);
      const std::lock_guard lock(printing);
      progress.done();
      terminal.result(names[index] + ": " + how + '\n');
    } catch (const OutputClosed&) {
      const std::lock_guard lock(printing);
      output_failure = std::current_exception();
    } catch (...) {
      const auto error = as_error(std::current_exception());
      const std::lock_guard lock(printing);
      progress.done();
      terminal.complain(error);
      codes[index] = static_cast<int>(error.code());
    }
  };
  if (names.size() == 1) {
    one(0);
  } else {
    std::vector<std::thread> threads;
    for (std::size_t index = 0; index < names.size(); ++index)
      threads.emplace_back([&, index] {
        leave_signals_to_main_thread();
        one(index);
      });
    for (auto& thread : threads) thread.join();
  }
  if (unknown) return static_cast<int>(unknown->code());
  for (const int code : codes) {
    if (code != 0) return code;
  }
  if (output_failure) std::rethrow_exception(output_failure);
  return 0;
}

}  // namespace qlaunch
