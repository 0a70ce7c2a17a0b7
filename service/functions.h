// The reactor's view of the catalogue's functions: what a warm invocation needs without another thread.
//
// Filled when a function is first asked for, updated with every commit. Because the catalogue's thread
// answers in the order of its commits, and results are taken over here before anything else happens, an entry
// never goes back in time.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <concepts>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.h"
#include "catalogue/catalogue.h"
#include "catalogue/model.h"
#include "service/disk_reserve.h"
#include "service/workers.h"

namespace ogni::service {

using FunctionPointer = std::shared_ptr<const catalogue::Function>;

class Functions {
 public:
  // `entries_max`: the least recently used function is forgotten beyond it, and read again when asked for.
  // `reserve`: of the disk, for changes that find it full; nullptr = none.
  Functions(catalogue::Catalogue& catalogue, Workers& workers, std::size_t entries_max = 10'000,
            DiskReserve* reserve = nullptr)
      : catalogue_(catalogue), workers_(workers), reserve_(reserve), entries_max_(entries_max) {}
  Functions(const Functions&) = delete;
  Functions& operator=(const Functions&) = delete;

  struct Known {
    FunctionPointer latest;
    // What an invocation runs: during an update still the old code and configuration. Null while the function
    // is Pending.
    FunctionPointer invocable;
  };
  // Without suspending; null when it has to be looked up. The pointer holds until the next call.
  const Known* cached(std::string_view name);
  // Errors: kNotFound, and what Workers reports.
  boost::asio::awaitable<Result<Known>> find(std::string name);

  // Runs `change` on the catalogue's thread, once more if the disk is full; the function that it commits is known here when
  // this returns.
  template <std::invocable<catalogue::Catalogue&> Change>
  boost::asio::awaitable<Result<FunctionPointer>> commit(Change change) {
    Result<catalogue::Function> changed = co_await run(std::move(change));
    if (!changed) co_return failure(std::move(changed.error()));
    co_return remember(std::move(*changed)).latest;
  }
  // Errors: kNotFound.
  boost::asio::awaitable<Result<catalogue::Function>> remove(std::string name);
  // Runs a change of something else than a function on the catalogue's thread, once more if the disk is full.
  template <std::invocable<catalogue::Catalogue&> Change>
  boost::asio::awaitable<std::invoke_result_t<Change&, catalogue::Catalogue&>> run(Change change) {
    return workers_.on_catalogue([&catalogue = catalogue_, reserve = reserve_, change = std::move(change)]() mutable {
      const auto once = [&] { return change(catalogue); };
      return reserve != nullptr ? reserve->with_room(once) : once();
    });
  }

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Known known;
    std::list<std::string_view>::iterator place;
  };
  const Known& remember(catalogue::Function function);
  void forget(std::string_view name);

  catalogue::Catalogue& catalogue_;
  Workers& workers_;
  DiskReserve* reserve_;
  std::size_t entries_max_;
  std::unordered_map<std::string_view, Entry> entries_;  // keys are views into Known::latest->name
  std::list<std::string_view> by_use_;                   // most recent first
};

}  // namespace ogni::service
