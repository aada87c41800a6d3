// SPDX-License-Identifier: MIT
// What the tests of coroutines share: a loop that runs one to its end, and failures as text.
// Does not know what is tested.
#pragma once

#include "qmp/client.hpp"

#include <exception>
#include <functional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

namespace test {

template <class T = void>
using awaitable = boost::asio::awaitable<T>;

/// Runs a coroutine to its end, and everything it left running.
inline void run(std::function<awaitable<>()> body) {
  boost::asio::io_context context;
  std::exception_ptr failure;
  boost::asio::co_spawn(context, std::move(body),
                        [&](const std::exception_ptr& problem) { failure = problem; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

inline awaitable<qmp::Client> adopt(int fd, qmp::Options options = {}) {
  qmp::Client::Socket socket(co_await boost::asio::this_coro::executor);
  socket.assign(boost::asio::local::stream_protocol(), fd);
  co_return co_await qmp::Client::adopt(std::move(socket), options);
}

/// What awaiting it throws, as text with the kind in front; "nothing" if it throws nothing.
template <class T>
awaitable<std::string> failure_of(awaitable<T> action) {
  try {
    co_await std::move(action);
  } catch (const qmp::Refused& e) {
    co_return "refused: " + e.error_class();
  } catch (const qmp::Gone& e) {
    co_return "gone: " + e.cause();
  } catch (const qmp::Malformed& e) {
    co_return std::string("malformed: ") + e.what();
  } catch (const qmp::Busy& e) {
    co_return std::string("busy: ") + e.what();
  } catch (const qmp::Timeout& e) {
    co_return std::string("timeout: ") + e.what();
  }
  co_return "nothing";
}

}  // namespace test
