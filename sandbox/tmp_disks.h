// The launcher's stock of disks for /tmp: made ahead by workers, taken by environments, taken back if they come back
// clean.
//
// A worker is a child of the launcher that makes one disk in the mirror of the host and hands it over a socket, so
// that several wait for the kernel at once and the launcher never does. Single-threaded, never blocks except where said.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "sandbox/kernel.h"
#include "sandbox/tmp_disk.h"

namespace ogni::sandbox {

class [[nodiscard]] TmpDisks {
 public:
  // `directory` is where images take up room. In a mount namespace like the host's, of which `host` is the descriptor.
  // Begins a first disk of `bytes`. Errors: kIo.
  [[nodiscard]] static Result<TmpDisks> create(Fd directory, int host, std::uint64_t bytes);
  TmpDisks(TmpDisks&&) noexcept = default;
  TmpDisks& operator=(TmpDisks&&) = delete;  // would lose workers
  ~TmpDisks();

  // A disk of this size if one is there. If not, and fewer than are wanted are being made, one more is begun.
  std::optional<TmpDisk> take(std::uint64_t bytes, std::size_t wanted);
  // Begins what is missing until `count` disks of this size are there.
  void stock(std::uint64_t bytes, std::size_t count);
  // Its environment has ended. Kept if it is clean and fewer than `keep` of its size are.
  void give_back(TmpDisk disk, std::size_t keep);

  // A disk has been made: this host can.
  bool is_proven() const { return proven_; }
  // Why none could be begun, the last time that none could.
  const Error& why_none() const { return why_none_; }
  // Some disk is being made.
  bool is_busy() const { return !workers_.empty(); }

  // Readable when a worker is done; then call collect().
  int descriptor() const { return done_.get(); }
  // The failure of a worker that failed, if any: whoever waits for a disk of this size waits in vain.
  struct Failed {
    std::uint64_t bytes = 0;
    Error error;
  };
  std::vector<Failed> collect();

 private:
  struct Worker {
    std::uint64_t bytes = 0;
    Child process;
    Fd socket;
  };
  struct Size {
    std::optional<TmpTemplate> model;
    std::vector<TmpDisk> ready;
    std::size_t making = 0;
    std::uint64_t used = 0;
  };
  TmpDisks(Fd directory, int host, Fd done) : directory_(std::move(directory)), host_(host), done_(std::move(done)) {}
  Size& size_of(std::uint64_t bytes);
  void begin(std::uint64_t bytes, Size& size);
  [[noreturn]] void work(int socket, const Size& size, std::uint64_t bytes) const;
  Result<void> finish(Worker& worker, Size& size);
  Result<void> start_closer();
  void end_elsewhere(const TmpDisk& disk) const;

  Fd directory_;
  int host_;
  Fd done_;  // epoll of the workers' sockets
  std::map<std::uint64_t, Size> sizes_;
  std::map<std::uint64_t, Worker> workers_;
  std::uint64_t next_worker_ = 0;
  std::uint64_t uses_ = 0;
  bool proven_ = false;
  Error why_none_{ErrorCode::kIo, "no disk for /tmp"};
  Child closer_;
  Fd closing_;  // to the closer
};

}  // namespace ogni::sandbox
