// What functions of managed runtimes see as /var/runtime: one directory for each runtime, with the bootstrap and, for those
// who look for them at AWS's places, the interpreter below lang/bin (which /var/lang leads to) and AWS's name of the
// certificates.
#pragma once

#include <map>
#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ogni::service {

class RuntimeDirectories {
 public:
  // `directory` holds the bootstrap. What an earlier service has left in it for the runtimes is made anew.
  explicit RuntimeDirectories(Fd directory) : directory_(std::move(directory)) {}

  int base() const { return directory_.get(); }
  // Of a managed runtime, whose interpreter is `interpreter` on this host ("/usr/bin/python3.11"); empty: unknown.
  // Errors: kIo.
  [[nodiscard]] Result<int> of(const std::string& runtime, const std::string& interpreter);

 private:
  [[nodiscard]] Result<Fd> make(const std::string& runtime, const std::string& interpreter) const;

  Fd directory_;
  std::map<std::string, Fd> made_;  // by the runtime: AWS has some twenty
};

}  // namespace ogni::service
