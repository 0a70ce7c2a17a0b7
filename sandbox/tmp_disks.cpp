#include "sandbox/tmp_disks.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <utility>

#include "base/system.h"

namespace ogni::sandbox {

namespace {

constexpr std::size_t kWorkersMax = 16;  // they wait most of the time
constexpr std::size_t kSizesMax = 16;    // each keeps a template of a few hundred KiB, and its disks

// What a worker says before the descriptors: device, root, image, and the template if it had to make one.
struct Report {
  std::uint64_t blocks = 0;
  std::uint64_t files = 0;
  std::uint64_t image_bytes = 0;
  bool has_template = false;
};

// Nothing of the launcher or its environments may be held open by a worker. `kept` are given other numbers; -1 stays.
void close_all_but(std::span<int> kept) {
  for (int& fd : kept) {
    if (fd >= 0) fd = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
  }
  std::vector<int> sorted(kept.begin(), kept.end());
  std::ranges::sort(sorted);
  unsigned from = 3;
  for (const int fd : sorted) {
    if (fd < 0) continue;
    if (static_cast<unsigned>(fd) > from) ::syscall(SYS_close_range, from, static_cast<unsigned>(fd) - 1, 0U);
    from = static_cast<unsigned>(fd) + 1;
  }
  ::syscall(SYS_close_range, from, ~0U, 0U);
}

void reap(const Child& process) {
  while (::waitpid(process.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

Result<TmpDisks> TmpDisks::create(Fd directory, int host, std::uint64_t bytes) {
  Fd done(::epoll_create1(EPOLL_CLOEXEC));
  if (!done) return failure(Error::from_errno("epoll_create"));
  TmpDisks disks(std::move(directory), host, std::move(done));
  if (auto started = disks.start_closer(); !started) return failure(std::move(started).error());
  disks.stock(bytes, 1);
  return disks;
}

TmpDisks::~TmpDisks() {
  for (auto& [id, worker] : workers_) {
    ::kill(worker.process.pid, SIGKILL);
    reap(worker.process);
  }
  if (!closing_) return;
  closing_.reset();
  reap(closer_);
}

TmpDisks::Size& TmpDisks::size_of(std::uint64_t bytes) {
  const auto found = sizes_.find(bytes);
  if (found == sizes_.end() && sizes_.size() >= kSizesMax) {
    auto oldest = sizes_.end();
    for (auto one = sizes_.begin(); one != sizes_.end(); ++one) {
      if (one->second.making == 0 && (oldest == sizes_.end() || one->second.used < oldest->second.used)) oldest = one;
    }
    if (oldest != sizes_.end()) {
      for (const TmpDisk& disk : oldest->second.ready) end_elsewhere(disk);
      sizes_.erase(oldest);
    }
  }
  Size& size = sizes_[bytes];
  size.used = ++uses_;
  return size;
}

std::optional<TmpDisk> TmpDisks::take(std::uint64_t bytes, std::size_t wanted) {
  Size& size = size_of(bytes);
  if (size.ready.empty()) {
    while (size.making < wanted && workers_.size() < kWorkersMax) {
      const std::size_t before = size.making;
      begin(bytes, size);
      if (size.making == before) break;
    }
    return std::nullopt;
  }
  TmpDisk disk = std::move(size.ready.back());
  size.ready.pop_back();
  return disk;
}

void TmpDisks::stock(std::uint64_t bytes, std::size_t count) {
  Size& size = size_of(bytes);
  while (size.ready.size() + size.making < count && workers_.size() < kWorkersMax) {
    const std::size_t before = size.making;
    begin(bytes, size);
    if (size.making == before) return;
  }
}

void TmpDisks::begin(std::uint64_t bytes, Size& size) {
  auto sockets = socket_pair();
  if (!sockets) {
    why_none_ = std::move(sockets).error().within("disk for /tmp");
    return;
  }
  auto child = fork_into(0, -1);
  if (!child) {
    why_none_ = std::move(child).error().within("disk for /tmp");
    return;
  }
  if (child->pid == 0) work(sockets->second.get(), size, bytes);
  const std::uint64_t id = next_worker_++;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
  ::epoll_ctl(done_.get(), EPOLL_CTL_ADD, sockets->first.get(), &event);
  workers_.emplace(id, Worker{.bytes = bytes, .process = std::move(*child), .socket = std::move(sockets->first)});
  ++size.making;
}

// In the worker.
void TmpDisks::work(int socket, const Size& size, std::uint64_t bytes) const {
  ::prctl(PR_SET_NAME, "ogni-tmp", 0, 0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  std::array kept = {socket, directory_.get(), host_, size.model ? size.model->image.get() : -1};
  close_all_but(kept);

  const auto make = [&]() -> Result<void> {
    if (::setns(kept[2], CLONE_NEWNS) != 0) return failure(Error::from_errno("setns"));
    TmpTemplate model{.image = Fd(kept[3]), .bytes = bytes};
    Report report;
    if (!model.image) {
      auto made = make_tmp_template(kept[1], bytes);
      if (!made) return failure(std::move(made).error().within("template"));
      model = std::move(*made);
      report.has_template = true;
    }
    auto disk = make_tmp_disk(kept[1], model);
    if (!disk) return failure(std::move(disk).error());
    report.blocks = disk->blocks;
    report.files = disk->files;
    report.image_bytes = disk->image_bytes;
    std::vector<int> descriptors = {disk->device.get(), disk->root.get(), disk->image.get()};
    if (report.has_template) descriptors.push_back(model.image.get());
    return send_message(kept[0], std::string_view(reinterpret_cast<const char*>(&report), sizeof report), descriptors);
  };
  if (auto made = make(); !made) {
    [[maybe_unused]] const auto sent = send_message(kept[0], made.error().message());
  }
  ::_exit(0);
}

Result<void> TmpDisks::finish(Worker& worker, Size& size) {
  auto message = receive_message(worker.socket.get(), 4096);
  if (!message) return failure(std::move(message).error());
  Report report;
  if (message->descriptors.empty()) return failure(ErrorCode::kIo, message->bytes);
  if (message->bytes.size() != sizeof report) return failure(ErrorCode::kInternal, "a report that is none");
  std::memcpy(&report, message->bytes.data(), sizeof report);
  if (message->descriptors.size() != (report.has_template ? 4U : 3U)) {
    return failure(ErrorCode::kLimit, "no descriptors are left");
  }
  if (report.has_template && !size.model) {
    size.model = TmpTemplate{.image = std::move(message->descriptors[3]), .bytes = worker.bytes};
  }
  proven_ = true;
  size.ready.push_back({.device = std::move(message->descriptors[0]),
                        .root = std::move(message->descriptors[1]),
                        .image = std::move(message->descriptors[2]),
                        .bytes = worker.bytes,
                        .blocks = report.blocks,
                        .files = report.files,
                        .image_bytes = report.image_bytes});
  return {};
}

std::vector<TmpDisks::Failed> TmpDisks::collect() {
  std::vector<Failed> failures;
  std::array<epoll_event, kWorkersMax> events;
  const int count = ::epoll_wait(done_.get(), events.data(), static_cast<int>(events.size()), 0);
  for (int i = 0; i < count; ++i) {
    const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;  // a copy: epoll_event is packed
    const auto found = workers_.find(id);
    if (found == workers_.end()) continue;
    Worker worker = std::move(found->second);
    workers_.erase(found);
    Size& size = sizes_[worker.bytes];
    --size.making;
    auto finished = finish(worker, size);
    ::epoll_ctl(done_.get(), EPOLL_CTL_DEL, worker.socket.get(), nullptr);
    reap(worker.process);
    if (!finished)
      failures.push_back({.bytes = worker.bytes, .error = std::move(finished).error().within("disk for /tmp")});
  }
  return failures;
}

void TmpDisks::give_back(TmpDisk disk, std::size_t keep) {
  Size& size = size_of(disk.bytes);
  if (size.ready.size() < keep && is_tmp_disk_pristine(disk)) {
    size.ready.push_back(std::move(disk));
    return;
  }
  end_elsewhere(disk);
}

// The last close of a disk waits for the kernel, so it is the closer's. When that one is too busy, it is ours.
void TmpDisks::end_elsewhere(const TmpDisk& disk) const {
  const std::array descriptors = {disk.device.get(), disk.root.get(), disk.image.get()};
  [[maybe_unused]] const auto sent = send_message(closing_.get(), "d", descriptors);
}

Result<void> TmpDisks::start_closer() {
  auto sockets = socket_pair();
  if (!sockets) return failure(std::move(sockets).error());
  if (::fcntl(sockets->first.get(), F_SETFL, O_NONBLOCK) != 0) return failure(Error::from_errno("fcntl"));
  auto child = fork_into(0, -1);
  if (!child) return failure(std::move(child).error());
  if (child->pid == 0) {
    ::prctl(PR_SET_NAME, "ogni-tmp", 0, 0, 0);
    std::array kept = {sockets->second.get()};
    close_all_but(kept);
    while (receive_message(kept[0], 16)) {
    }
    ::_exit(0);
  }
  closer_ = std::move(*child);
  closing_ = std::move(sockets->first);
  return {};
}

}  // namespace ogni::sandbox
