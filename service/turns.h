// The reactor's time, shared out among execution environments.
//
// What a function makes the reactor do (lines of its log, requests and bytes on its Runtime API) is charged to its
// environment's share. An environment within its share does not wait. One that has used it up waits for a turn: one
// environment at a time, with a pause after each, so that however many flood it, everything else waits for one share.
// What an invocation needs is credited to the environment that gets it, since its caller has asked for that work: a function
// that only answers its invocations never waits, however fast they come.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <utility>
#include <variant>

#include "service/one_shot.h"

namespace ogni::service {

// The arithmetic of one environment's share. A unit is about what a line of the log costs, 0.1 to 0.2 µs.
class WorkShare {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kUnits = 128;
  // Without a turn, a share comes each half millisecond; what is not used is kept for a burst, such as an answer of 1 MB.
  static constexpr std::chrono::microseconds kRefillEvery{500};
  static constexpr int kUnitsMax = 8 * kUnits;

  explicit WorkShare(Clock::duration refill_every = kRefillEvery) : refill_every_(refill_every) {}

  void charge(int units) { left_ -= units; }
  // For work that is due. It may go beyond what is kept for a burst, until the work is done.
  void credit(int units) { left_ = std::max(left_, std::min(kUnitsMax, left_) + units); }
  bool is_spent(Clock::time_point now) {
    if (left_ > 0) return false;
    const auto shares = std::min<Clock::rep>((now - refilled_) / refill_every_, kUnitsMax / kUnits);
    if (shares == 0) return true;
    refilled_ = now;
    left_ = std::min(kUnitsMax, left_ + static_cast<int>(shares) * kUnits);
    return left_ <= 0;
  }
  // A turn. Work that cost more than a share is paid for with the turns after it.
  void grant(Clock::time_point now) {
    refilled_ = now;
    left_ = std::min(kUnits, left_ + kUnits);
  }
  bool has_left() const { return left_ > 0; }
  // Below zero: what is to be paid for.
  int left() const { return left_; }

 private:
  Clock::duration refill_every_;
  int left_ = kUnitsMax;
  Clock::time_point refilled_;
};

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  // From one turn to the next: those who wait keep a fifth of the thread's time busy, and leave it awake for others.
  static constexpr std::chrono::microseconds kPace{100};

  explicit Turns(boost::asio::any_io_executor executor,
                 WorkShare::Clock::duration refill_every = WorkShare::kRefillEvery,
                 WorkShare::Clock::duration pace = kPace)
      : timer_(std::move(executor)), refill_every_(refill_every), pace_(pace) {}
  Turns(const Turns&) = delete;
  Turns& operator=(const Turns&) = delete;
  // Whoever waits ends where it stands.
  ~Turns() {
    for (const auto& member : ring_) {
      for (const auto& waiting : std::exchange(member->waiting_, {})) waiting->forget();
    }
  }

  // One environment, with all that works for it: its log, every connection to its Runtime API.
  class Member : public std::enable_shared_from_this<Member> {
   public:
    Member(std::weak_ptr<Turns> turns, WorkShare share) : turns_(std::move(turns)), share_(share) {}

    // After the work: what it was. At least one unit for each turn(), or others wait for nothing.
    void charge(int units) { share_.charge(units); }
    // Before work that a caller has asked for.
    void credit(int units) { share_.credit(units); }
    int left() const { return share_.left(); }
    bool is_waiting() const { return !waiting_.empty(); }
    // Before the work. Returns at once within the share, and behind those of the same environment who wait already.
    boost::asio::awaitable<void> turn() {
      if (waiting_.empty() && !share_.is_spent(WorkShare::Clock::now())) co_return;
      const auto mine = std::make_shared<OneShot<std::monostate>>();
      if (!wait_in_ring(mine)) co_return;
      co_await mine->wait();
    }

   private:
    friend class Turns;
    // False where nobody has turns any more.
    bool wait_in_ring(const std::shared_ptr<OneShot<std::monostate>>& mine) {
      const auto turns = turns_.lock();
      if (!turns) return false;
      waiting_.push_back(mine);
      turns->enter(shared_from_this());
      return true;
    }
    // Resumes what waits, as far as the share goes.
    void take_turn() {
      share_.grant(WorkShare::Clock::now());
      // Those who come back for more are behind those who wait now.
      for (std::size_t waiting = waiting_.size(); waiting > 0 && share_.has_left(); --waiting) {
        const auto first = std::move(waiting_.front());
        waiting_.pop_front();
        first->set({});
      }
    }

    std::weak_ptr<Turns> turns_;
    WorkShare share_;
    std::deque<std::shared_ptr<OneShot<std::monostate>>> waiting_;
    bool in_ring_ = false;
  };
  std::shared_ptr<Member> join() { return std::make_shared<Member>(weak_from_this(), WorkShare(refill_every_)); }

 private:
  void enter(std::shared_ptr<Member> member) {
    if (std::exchange(member->in_ring_, true)) return;
    ring_.push_back(std::move(member));
    schedule();
  }
  void schedule() {
    if (ring_.empty() || std::exchange(scheduled_, true)) return;
    timer_.expires_after(pace_);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (self && !error) self->one_turn();
    });
  }
  void one_turn() {
    scheduled_ = false;
    const auto member = std::move(ring_.front());
    ring_.pop_front();
    member->take_turn();
    // Its waiters may have joined again meanwhile, which in_ring_ has kept from a second place.
    member->in_ring_ = !member->waiting_.empty();
    if (member->in_ring_) ring_.push_back(member);
    schedule();
  }

  boost::asio::steady_timer timer_;
  WorkShare::Clock::duration refill_every_;
  WorkShare::Clock::duration pace_;
  std::deque<std::shared_ptr<Member>> ring_;
  bool scheduled_ = false;
};

}  // namespace ogni::service
