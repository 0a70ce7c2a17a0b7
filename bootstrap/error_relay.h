// What a worker writes on stderr: it passes to this program's at once, also between invocations, and the end of what an
// invocation wrote is kept.
#pragma once

#include <mutex>
#include <string>
#include <thread>

#include "bootstrap/descriptor.h"
#include "bootstrap/error_output.h"

namespace ogni::bootstrap {

class ErrorRelay {
 public:
  explicit ErrorRelay(Descriptor reading);
  ~ErrorRelay();
  ErrorRelay(const ErrorRelay&) = delete;
  ErrorRelay& operator=(const ErrorRelay&) = delete;

  // An invocation begins.
  void forget();
  // Passes on what has been written until now.
  void catch_up();
  // After catch_up(): the end of what has been written since forget().
  std::string tail();

 private:
  void run();

  std::mutex mutex_;
  ErrorOutput output_;  // of whoever holds the mutex
  int errors_ = -1;     // output_'s, which lives as long
  Descriptor stop_;
  std::thread thread_;
};

}  // namespace ogni::bootstrap
