// A few megabytes of the data directory's disk, kept for what makes room on a full one: a file that is given up when the
// catalogue has no room for a change, above all the deletion of a function, and taken back when there is room again.
//
// For one thread at a time.
#pragma once

#include "base/fd.h"
#include "base/result.h"

namespace ogni::service {

class DiskReserve {
 public:
  // In `data`, which is borrowed and stays open. Takes the room if there is enough of it.
  explicit DiskReserve(int data);

  // True when there was something to give up: then what failed is worth another try.
  bool give_up();
  // Takes the room again if the disk has several times as much.
  void take_back();

  // `change` returns a Result. When it fails for a full disk (kLimit) it runs once more with the reserve given up.
  template <typename Change>
  auto with_room(Change change) {
    auto done = change();
    if (done || done.error().code() != ErrorCode::kLimit || !give_up()) return done;
    return change();
  }

 private:
  int data_;
};

}  // namespace ogni::service
