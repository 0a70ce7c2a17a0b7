// Where blocking work is done: one thread that owns the catalogue's database, and a few for unzipping and
// hashing. Awaited from the reactor, resumed on the reactor.
//
// Work for the catalogue is done in the order in which it was asked for, and its results come back in that
// order: who updates a cache at once when run() returns sees every commit in the order of the database.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"

namespace ogni::service {

class Workers {
 public:
  struct Limits {
    std::size_t pool_threads = 2;
    std::size_t catalogue_waiting_max = 1024;
    std::size_t pool_waiting_max = 64;
  };
  // Throws std::system_error when this process may start no more threads.
  explicit Workers(Limits limits)
      : catalogue_(1, limits.catalogue_waiting_max), pool_(limits.pool_threads, limits.pool_waiting_max) {}
  Workers() : Workers(Limits{}) {}
  ~Workers() { join(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // `work` returns a Result. Errors besides its own: kUnavailable when too much waits already; kInternal when it
  // threw. What it refers to stays alive until it has run, also when the awaiting coroutine is destroyed
  // before.
  template <typename Work>
  boost::asio::awaitable<std::invoke_result_t<Work&>> on_catalogue(Work work) {
    return run(catalogue_, std::move(work));
  }
  template <typename Work>
  boost::asio::awaitable<std::invoke_result_t<Work&>> on_pool(Work work) {
    return run(pool_, std::move(work));
  }

  // Finishes what was begun. Before the reactor is destroyed; afterwards nothing runs here any more.
  void join() {
    pool_.join();
    catalogue_.join();
  }

 private:
  // Not Asio's thread_pool, which waits for ever when it could start only some of its threads.
  struct Lane {
    Lane(std::size_t thread_count, std::size_t most) : waiting_max(most) {
      try {
        while (threads.size() < thread_count) threads.emplace_back([this] { queue.run(); });
      } catch (...) {
        queue.stop();
        throw;
      }
    }
    ~Lane() { join(); }
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    void join() {
      open.reset();
      threads.clear();
    }
    boost::asio::io_context queue;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> open{queue.get_executor()};
    std::size_t waiting = 0;  // the reactor's
    std::size_t waiting_max;
    std::vector<std::jthread> threads;
  };

  template <typename Work>
  static std::invoke_result_t<Work&> guarded(Work& work) {
    try {
      return work();
    } catch (const std::exception& thrown) {
      return failure(ErrorCode::kInternal, std::string("worker: ") + thrown.what());
    }
  }

  template <typename Work, typename Answer = std::invoke_result_t<Work&>>
  static boost::asio::awaitable<Answer> run(Lane& lane, Work work) {
    namespace asio = boost::asio;
    if (lane.waiting >= lane.waiting_max)
      co_return failure(ErrorCode::kUnavailable, "too many requests wait for the disk");
    ++lane.waiting;
    auto answer = co_await asio::async_initiate<const asio::use_awaitable_t<>&, void(Answer)>(
        [&lane](auto handler, Work moved) {
          // The reactor must not run out of work, and end, while this is away.
          auto home = asio::prefer(asio::get_associated_executor(handler), asio::execution::outstanding_work.tracked);
          asio::post(lane.queue,
                     [home = std::move(home), handler = std::move(handler), task = std::move(moved)]() mutable {
                       auto done = guarded(task);
                       asio::post(home, [handler = std::move(handler), done = std::move(done)]() mutable {
                         std::move(handler)(std::move(done));
                       });
                     });
        },
        asio::use_awaitable, std::move(work));
    --lane.waiting;
    co_return answer;
  }

  Lane catalogue_;
  Lane pool_;
};

}  // namespace ogni::service
