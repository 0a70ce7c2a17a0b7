// The host's pasta(1), which gives a network namespace a tap device and does in the host's network what is asked for there,
// with sockets of an ordinary user. Here it listens on no port for anybody, and takes no address for the host's loopback.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/kernel.h"

namespace ogni::sandbox {

class [[nodiscard]] Pasta {
 public:
  // The device, its IPv4 address and what it takes for its gateway, both of a network of four.
  struct Device {
    std::string name;
    std::string address;
    std::string gateway;
  };
  // Starts it for the network namespace of `holder`, which has a user namespace below ours; it has set the device up once
  // a default route leads over it. `host_mounts`: the mount namespace that has the program. Errors: kIo.
  [[nodiscard]] static Result<Pasta> start(int host_mounts, pid_t holder, const Device& device);
  Pasta(Pasta&&) noexcept = default;
  Pasta& operator=(Pasta&&) = delete;
  // Ends it, and waits until it is gone. It also ends with this process, however that ends.
  ~Pasta();

  // Readable once it has ended: a pidfd.
  int process() const { return keeper_.process.get(); }
  // Its last words; for when it has ended.
  std::string read_words() const;

 private:
  Pasta(Child keeper, Fd lifeline, Fd said)
      : keeper_(std::move(keeper)), lifeline_(std::move(lifeline)), said_(std::move(said)) {}

  Child keeper_;
  Fd lifeline_;
  Fd said_;
};

}  // namespace ogni::sandbox
