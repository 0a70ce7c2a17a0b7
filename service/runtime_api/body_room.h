// Memory for what arrives on all Runtime APIs together, shared out fairly among functions.
//
// Half of it is for whoever comes first. The other half is kept for functions that hold little, so that one that hoards
// does not keep out others. Who gets none waits; its peer is held up by TCP.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "service/one_shot.h"

namespace ogni::service {

class BodyRoom : public std::enable_shared_from_this<BodyRoom> {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{512} << 20;
  static constexpr std::size_t kFirstComeBytesMax = kBytesMax / 2;
  static constexpr std::size_t kLittleBytes = std::size_t{8} << 20;  // the largest answer, and its way there
  // A connection has so much without asking.
  static constexpr std::size_t kFreeBytes = std::size_t{64} << 10;

  // One function.
  class Holder {
   public:
    explicit Holder(std::shared_ptr<BodyRoom> room) : room_(std::move(room)) {}
    std::size_t held() const { return held_; }

   private:
    friend class BodyRoom;
    std::shared_ptr<BodyRoom> room_;
    std::size_t held_ = 0;
  };
  std::shared_ptr<Holder> make_holder() { return std::make_shared<Holder>(shared_from_this()); }

  // What one connection holds.
  class Lease {
   public:
    explicit Lease(std::shared_ptr<Holder> holder) : holder_(std::move(holder)) {}
    ~Lease() {
      if (place_) holder_->room_->waiting_.erase(*place_);
      give_back();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    // Holds `bytes` in all, kFreeBytes of them free of charge; waits where there is no room. False where leave() was
    // called meanwhile.
    boost::asio::awaitable<bool> grow(std::size_t bytes) {
      const std::size_t wanted = bytes - std::min(bytes, kFreeBytes);
      if (wanted <= held_) co_return true;
      wanted_ = wanted;
      BodyRoom& room = *holder_->room_;
      if (room.waiting_.empty() ? room.admit(*this) : room.admit_little(*this)) co_return true;
      place_ = room.waiting_.insert(room.waiting_.end(), this);
      const bool admitted = co_await admitted_.wait();
      room.waiting_.erase(*std::exchange(place_, std::nullopt));
      co_return admitted;
    }
    void give_back() {
      const std::size_t less = std::exchange(held_, 0);
      if (less == 0) return;
      holder_->held_ -= less;
      holder_->room_->held_ -= less;
      holder_->room_->let_in();
    }
    // The connection ends: whoever waits in grow() goes.
    void leave() {
      if (admitted_.waiting()) admitted_.set(false);
    }

   private:
    friend class BodyRoom;
    std::shared_ptr<Holder> holder_;
    std::size_t held_ = 0;
    std::size_t wanted_ = 0;
    OneShot<bool> admitted_;
    std::optional<std::list<Lease*>::iterator> place_;
  };

  std::size_t held() const { return held_; }

 private:
  bool admit(Lease& lease) {
    return take(lease, held_ + lease.wanted_ - lease.held_ <= kFirstComeBytesMax) || admit_little(lease);
  }
  bool admit_little(Lease& lease) {
    const std::size_t more = lease.wanted_ - lease.held_;
    return take(lease, lease.holder_->held_ + more <= kLittleBytes && held_ + more <= kBytesMax);
  }
  bool take(Lease& lease, bool may) {
    if (!may) return false;
    const std::size_t more = std::exchange(lease.held_, lease.wanted_);
    held_ += lease.held_ - more;
    lease.holder_->held_ += lease.held_ - more;
    return true;
  }
  // Each of those that wait and fits, in their order. One that is let in runs at once, and may change who waits.
  void let_in() {
    for (;;) {
      const auto fits = std::ranges::find_if(waiting_, [this](Lease* lease) { return admit(*lease); });
      if (fits == waiting_.end()) return;
      (*fits)->admitted_.set(true);
    }
  }

  std::size_t held_ = 0;
  std::list<Lease*> waiting_;
};

}  // namespace ogni::service
