#include "service/functions.h"

namespace ogni::service {

namespace asio = boost::asio;

const Functions::Known* Functions::cached(std::string_view name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  by_use_.splice(by_use_.begin(), by_use_, found->second.place);
  return &found->second.known;
}

asio::awaitable<Result<Functions::Known>> Functions::find(std::string name) {
  if (const Known* known = cached(name)) co_return *known;
  Result<catalogue::Function> read =
      co_await workers_.on_catalogue([&catalogue = catalogue_, name] { return catalogue.function(name); });
  if (!read) co_return failure(std::move(read.error()));
  co_return remember(std::move(*read));
}

asio::awaitable<Result<catalogue::Function>> Functions::remove(std::string name) {
  Result<catalogue::Function> removed =
      co_await run([name](catalogue::Catalogue& catalogue) { return catalogue.delete_function(name); });
  if (removed) forget(name);
  co_return removed;
}

void Functions::forget(std::string_view name) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) return;
  by_use_.erase(found->second.place);
  entries_.erase(found);
}

const Functions::Known& Functions::remember(catalogue::Function function) {
  const auto latest = std::make_shared<const catalogue::Function>(std::move(function));
  Known known{.latest = latest, .invocable = latest};
  if (const Known* before = cached(latest->name)) {
    const bool same = before->latest->instance == latest->instance;
    if (same && latest->update_status == catalogue::UpdateStatus::kInProgress) known.invocable = before->invocable;
  }
  if (latest->state == catalogue::State::kPending) known.invocable = nullptr;
  forget(latest->name);
  while (entries_.size() >= entries_max_ && !by_use_.empty()) forget(by_use_.back());
  by_use_.push_front(latest->name);
  return entries_.emplace(latest->name, Entry{.known = std::move(known), .place = by_use_.begin()}).first->second.known;
}

}  // namespace ogni::service
