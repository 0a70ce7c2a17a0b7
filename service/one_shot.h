// One value handed from the reactor's code to one coroutine that waits for it.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <utility>

namespace ogni::service {

// Single-threaded: set() and wait() run on the reactor. set() before wait() is kept; set() during wait()
// resumes the waiting coroutine at once, inside the call, so the caller must be ready for whatever that
// coroutine does next.
template <typename T>
class OneShot {
 public:
  bool waiting() const { return static_cast<bool>(waiter_); }

  void set(T value) {
    if (waiter_) {
      auto waiter = std::exchange(waiter_, nullptr);
      waiter(std::move(value));
    } else if (!value_) {
      value_ = std::move(value);
    }
  }

  // Ends the waiting coroutine where it stands.
  void forget() { const auto waiter = std::exchange(waiter_, nullptr); }

  boost::asio::awaitable<T> wait() {
    if (value_) {
      T value = std::move(*value_);
      value_.reset();
      co_return value;
    }
    co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&, void(T)>(
        [this](auto handler) {
          waiter_ = [handler = std::move(handler)](T value) mutable { std::move(handler)(std::move(value)); };
        },
        boost::asio::use_awaitable);
  }

 private:
  std::optional<T> value_;
  std::move_only_function<void(T)> waiter_;
};

}  // namespace ogni::service
