// One invocation on its way through the service.
#pragma once

#include <chrono>
#include <string>

#include "dispatch/dispatcher.h"
#include "service/invocation/invoker.h"
#include "service/one_shot.h"

namespace ogni::service {

struct Invocation {
  Invocation(dispatch::InvocationId id_, InvokeRequest request_) : id(id_), request(std::move(request_)) {}

  dispatch::InvocationId id;
  InvokeRequest request;
  InvokeAnswer answer;
  bool begun = false;     // an environment has it
  bool answered = false;  // `answer` is what the caller will get, or has got
  bool released = false;  // the caller has been resumed
  OneShot<bool> release;  // resumes the caller

  // Resumes the caller with what stands in `answer`, once. The caller's next steps run inside this call.
  void let_go() {
    if (released) return;
    released = true;
    release.set(true);
  }
};

}  // namespace ogni::service
