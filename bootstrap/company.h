// Whether a worker has been joined by processes that outlast the invocation that started them: these still hold the files
// of that invocation. Costs two system calls, no search of /proc.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "bootstrap/descriptor.h"

namespace ogni::bootstrap {

// Whether /proc is that of this process's namespace, so that it can be found there by its number.
bool has_own_numbers();

class Company {
 public:
  // `worker` is a child of this process, which must be the reaper of orphans (Children).
  explicit Company(pid_t worker);

  // Whether a child of the worker or of this process is here that was not when this was asked last (or at construction);
  // so also an orphan of the worker's. Where the kernel does not list children: whether any process has been started since.
  // True also when neither can be told. Source: proc(5), /proc/pid/task/tid/children and /proc/loadavg.
  bool has_joined();

 private:
  bool is_listed() const { return own_ && of_worker_; }

  Descriptor own_;
  Descriptor of_worker_;
  Descriptor load_;  // where children are not listed
  std::vector<pid_t> processes_;
  std::string newest_;
};

}  // namespace ogni::bootstrap
