// SPDX-License-Identifier: MIT
// The bounded queue behind a Subscription, shared by the reader that fills it and who waits.
// Does not make the reader wait: what does not fit is counted and gone.
#pragma once

#include "qmp/message.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>

namespace qmp {

class EventQueue {
 public:
  using Timer = boost::asio::steady_timer;
  using Wanted = std::function<bool(const Event&)>;

  EventQueue(boost::asio::any_io_executor executor, Wanted wanted, std::size_t capacity)
      : executor_(std::move(executor)), wanted_(std::move(wanted)), capacity_(capacity) {}

  void push(const Event& event) {
    if (!wanted_(event)) return;
    if (events_.size() >= capacity_) {
      events_.pop_front();
      ++lost_;
    }
    events_.push_back(event);
    wake();
  }

  void close(const Closed& why) {
    if (closed_) return;
    closed_ = why;
    wake();
  }

  std::optional<Event> pop() {
    if (events_.empty()) return std::nullopt;
    std::optional<Event> event(std::move(events_.front()));
    events_.pop_front();
    return event;
  }

  [[nodiscard]] const std::optional<Closed>& closed() const { return closed_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }

  /// While it lives, the timer is cancelled at each news.
  class Waiter {
   public:
    Waiter(EventQueue& queue, Timer& timer) : queue_(queue), timer_(timer) {
      queue_.waiters_.push_back(&timer);
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
      auto& list = queue_.waiters_;
      list.erase(std::remove(list.begin(), list.end(), &timer_), list.end());
    }

   private:
    EventQueue& queue_;
    Timer& timer_;
  };

 private:
  void wake() {
    for (auto* timer : waiters_) timer->cancel();
  }

  boost::asio::any_io_executor executor_;
  Wanted wanted_;
  std::size_t capacity_;
  std::deque<Event> events_;
  std::uint64_t lost_ = 0;
  std::optional<Closed> closed_;
  std::vector<Timer*> waiters_;
};

}  // namespace qmp
