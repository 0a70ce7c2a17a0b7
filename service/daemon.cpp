// The daemon, top to bottom: every part is built here and given what it needs.
#include "service/daemon.h"

#include <malloc.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

#include "base/digest.h"
#include "base/log.h"
#include "base/system.h"
#include "catalogue/catalogue.h"
#include "catalogue/code_store.h"
#include "catalogue/root_store.h"
#include "protocol/limits.h"
#include "sandbox/choose_strength.h"
#include "sandbox/launcher.h"
#include "service/api/api.h"
#include "service/data_directory.h"
#include "service/disk_reserve.h"
#include "service/functions.h"
#include "service/http/server.h"
#include "service/identity.h"
#include "service/invocation/fleet.h"
#include "service/logs/log_routes.h"
#include "service/logs/log_store.h"
#include "service/programs.h"
#include "service/roots.h"
#include "service/workers.h"

namespace ogni::service {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr auto kUse = asio::as_tuple(asio::use_awaitable);
// How long running invocations may go on after SIGTERM.
constexpr auto kDrainMax = 30s;
// A launcher needs this long at most to end thousands of environments on a busy host.
constexpr auto kPredecessorMax = 30s;
constexpr auto kLogFlushAfter = 100ms;
constexpr auto kCleanCodeEvery = 10min;
constexpr auto kQuiet = 5s;
constexpr std::size_t kUnusedBytesMax = 16 << 20;  // kept for the next payloads
// At once at the start, since a service that is restarted often would never come to it; so many at a time.
constexpr std::size_t kCleanedAtOnce = 64;
constexpr auto kCleanCodePause = 1s;
constexpr auto kTakeBackEvery = 5s;
constexpr std::size_t kFunctionsKnownMax = 10'000;
// Of the daemon, for each environment: control, init, log, memory, cgroup, listening and usually one or two connections.
constexpr std::size_t kDescriptorsPerEnvironment = 8;
constexpr std::size_t kDescriptorsReserved = 128;

// The soft limit is raised to the hard one; how many environments may exist follows from it.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      spdlog::warn("the limit of open files stays at {}: {}", limit.rlim_cur, std::strerror(errno));
      ::getrlimit(RLIMIT_NOFILE, &limit);
    }
  }
  return static_cast<std::size_t>(limit.rlim_cur);
}

std::uint64_t host_memory_mb() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) >>
         20;
}

struct Ground {
  Fd data;
  Fd launcher_lock;  // shared with the launcher
  Fd runtime;
  Fd temporary;
  Fd logs;
  Fd listener;
  Fd root;  // directory of functions' root, where one was named by its path
  sandbox::Strength strength = sandbox::Strength::kNamespace;
  std::optional<sandbox::Launcher> launcher;
};

sandbox::WayOutDemand way_out_demand(Settings::Network network) {
  switch (network) {
    case Settings::Network::kEgress:
      return sandbox::WayOutDemand::kMost;
    case Settings::Network::kTagged:
      return sandbox::WayOutDemand::kSome;
    case Settings::Network::kLoopback:
      break;
  }
  return sandbox::WayOutDemand::kNone;
}

// A predecessor that was killed leaves a launcher, which ends what runs and removes what it made. Nothing of that is over
// when the predecessor is.
Result<Fd> wait_for_predecessor(int data, const Identity& identity) {
  auto lock = lock_for_launcher(data, identity, 0s);
  if (lock || lock.error().code() != ErrorCode::kConflict) return lock;
  spdlog::info("waiting for the launcher of the service before this one to end");
  return lock_for_launcher(data, identity, kPredecessorMax);
}

Result<void> start_launcher(const Fd& program, const Identity& identity, const Settings& settings, Ground& ground) {
  struct stat status{};
  if (::fstat(ground.data.get(), &status) != 0) return failure(Error::from_errno("stat the data directory"));
  const std::string place = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  auto had = had_walls(ground.data.get());
  if (!had) return failure(std::move(had).error());
  sandbox::Launcher::Options options;
  options.tag = to_hex(sha256(place)).substr(0, 16);
  options.program = program.get();
  options.blank_environments = settings.blank_environments;
  options.way_out = way_out_demand(settings.network);
  options.disk_directory = ground.temporary.get();
  options.lock = ground.launcher_lock.get();
  options.shared_memory_bytes = std::uint64_t{settings.shared_memory_mb} << 20;
  if (identity.must_change) {
    options.process_uid = identity.uid;
    options.process_gid = identity.gid;
  }
  auto chosen = sandbox::choose_launcher({.strength = settings.isolation, .had_walls = *had}, options);
  if (!chosen) return failure(std::move(chosen).error());
  if (chosen->strength == sandbox::Strength::kNamespace) {
    if (auto noted = remember_walls(ground.data.get(), identity); !noted) return noted;
  } else if (settings.isolation) {
    spdlog::warn("functions run WITHOUT ISOLATION, as processes of this host");
  } else {
    spdlog::warn("namespaces cannot be had here ({}): functions run WITHOUT ISOLATION, as processes of this host",
                 chosen->why_not_more);
  }
  ground.strength = chosen->strength;
  ground.launcher = std::move(chosen->launcher);
  return {};
}

// The directory that functions are to have as their root. It must not show them what the service keeps, or the host whole.
Result<Fd> open_root_directory(const std::string& path, const std::string& data) {
  namespace fs = std::filesystem;
  std::error_code error;
  const std::string root = fs::canonical(path, error).string();
  if (error) return failure(ErrorCode::kNotFound, "--rootfs " + path + ": " + error.message());
  const std::string own = fs::canonical(data, error).string();
  if (error) return failure(ErrorCode::kIo, "find the data directory: " + error.message());
  const auto is_within = [](const std::string& inner, const std::string& outer) {
    return (inner + "/").starts_with(outer == "/" ? outer : outer + "/");
  };
  if (root == "/" || is_within(own, root) || is_within(root, own)) {
    return failure(ErrorCode::kInvalidArgument,
                   "--rootfs " + path + ": functions would see what this host, or this service, keeps for itself");
  }
  auto directory = open_file(root, O_PATH | O_DIRECTORY);
  if (!directory) return failure(std::move(directory).error().within("--rootfs"));
  return directory;
}

// Errors: kNotFound, with what there is.
Result<void> check_root_name(const catalogue::RootStore& roots, const std::string& name) {
  auto held = roots.hold(name);
  if (held) return {};
  if (held.error().code() != ErrorCode::kNotFound) return failure(std::move(held).error().within("--rootfs " + name));
  std::string words;
  if (auto infos = roots.list()) {
    for (const auto& info : *infos) words += (words.empty() ? "" : ", ") + info.name;
  }
  return failure(ErrorCode::kNotFound, "--rootfs: no root file system is called " + name +
                                           ": import it with ogni rootfs "
                                           "import " +
                                           name + " SOURCE (" +
                                           (words.empty() ? "none is there" : "there are: " + words) + ")");
}

// All that needs root, where we are root; afterwards we are an ordinary user.
Result<Ground> prepare(const Settings& settings) {
  boost::system::error_code bad_address;
  const auto address = asio::ip::make_address(settings.listen_address, bad_address);
  if (bad_address) return failure(ErrorCode::kInvalidArgument, "not an address: " + settings.listen_address);
  if (!address.is_loopback() && !settings.allow_remote) {
    return failure(ErrorCode::kInvalidArgument,
                   settings.listen_address +
                       " can be reached from other hosts, and whoever reaches this service can run code here: say "
                       "--allow-remote if that is wanted");
  }
  auto identity = choose_identity(settings.user);
  if (!identity) return failure(std::move(identity).error());
  auto path = settings.data_directory.empty() ? default_data_directory(identity->must_change)
                                              : Result<std::string>(settings.data_directory);
  if (!path) return failure(std::move(path).error());

  Ground ground;
  auto data = open_data_directory(*path, *identity);
  if (!data) return failure(std::move(data).error());
  ground.data = std::move(*data);
  auto lock = wait_for_predecessor(ground.data.get(), *identity);
  if (!lock) return failure(std::move(lock).error());
  ground.launcher_lock = std::move(*lock);
  auto listener = http::listen_tcp(settings.listen_address, settings.listen_port);
  if (!listener) return failure(std::move(listener).error());
  ground.listener = std::move(*listener);
  for (auto [directory, name] :
       {std::pair{&ground.runtime, "runtime"}, {&ground.temporary, "tmp"}, {&ground.logs, "logs"}}) {
    auto opened = open_subdirectory(ground.data.get(), name, *identity);
    if (!opened) return failure(std::move(opened).error());
    *directory = std::move(*opened);
  }
  if (::fchmod(ground.runtime.get(), 0755) != 0) return failure(Error::from_errno("open the runtime directory"));
  if (auto installed = install_bootstrap(ground.runtime.get()); !installed) {
    return failure(std::move(installed).error());
  }

  auto program = open_program("ogni-launcher");
  if (!program) return failure(std::move(program).error());
  if (auto started = start_launcher(*program, *identity, settings, ground); !started) {
    return failure(std::move(started).error());
  }
  if (settings.network != Settings::Network::kLoopback) {
    if (ground.strength == sandbox::Strength::kProcess) {
      spdlog::warn("--network: functions that are processes of this host reach whatever it reaches");
    } else if (const std::string& why = ground.launcher->why_no_way_out(); !why.empty()) {
      return failure(ErrorCode::kUnavailable,
                     "--network: functions cannot be given a way out here (" + why +
                         "); leave it at loopback, or choose --isolation process, which has no walls");
    }
  }
  if (!settings.rootfs.empty() && settings.rootfs != catalogue::kHostRoot) {
    if (ground.strength == sandbox::Strength::kProcess) {
      return failure(ErrorCode::kUnavailable,
                     "--rootfs: functions that are processes of this host have the host's files; it needs --isolation "
                     "namespace");
    }
    if (settings.rootfs.front() == '/') {
      auto root = open_root_directory(settings.rootfs, *path);
      if (!root) return failure(std::move(root).error());
      ground.root = std::move(*root);
    }
  }
  if (auto became = become(*identity); !became) return failure(std::move(became).error());
  return ground;
}

// How processor time is shared out, for the log and for whoever measures.
std::string processor_policy(sandbox::ProcessorWay way, bool has_quota) {
  if (way == sandbox::ProcessorWay::kNice) {
    return std::string("not shared out by memory (nice): functions come after the host's other work") +
           (has_quota ? "; no quota, which needs a processor cgroup" : "");
  }
  const bool is_weight = way == sandbox::ProcessorWay::kWeight;
  if (!has_quota)
    return std::string("by weight (") + (is_weight ? "cpu.weight" : "cpu.shares") + "), in proportion to memory";
  return std::string("AWS's quota (") + (is_weight ? "cpu.max" : "cpu.cfs_quota_us") +
         "): one processor per 1,769 MB of memory, and no more";
}

// Zips that nothing refers to any more are removed.
asio::awaitable<void> clean_code(catalogue::Catalogue& catalogue, catalogue::CodeStore& code,
                                 catalogue::RootStore& roots, Fleet& fleet, Workers& workers) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  bool more = true;
  for (bool first = true;; first = false) {
    if (!first) {
      timer.expires_after(more ? std::chrono::steady_clock::duration(kCleanCodePause) : kCleanCodeEvery);
      auto [error] = co_await timer.async_wait(kUse);
      if (error) co_return;
    }
    more = false;
    auto swept = co_await workers.on_pool([&roots] { return roots.sweep(); });
    if (!swept) spdlog::warn("removed root file systems are still there: {}", swept.error().message());
    auto in_use = co_await workers.on_catalogue([&catalogue] { return catalogue.code_in_use(); });
    if (!in_use) continue;
    for (auto& digest : fleet.code_in_use()) in_use->push_back(std::move(digest));
    auto removed = co_await workers.on_pool(
        [&code, digests = std::move(*in_use)] { return code.remove_unused(digests, kCleanedAtOnce); });
    if (removed && *removed > 0) spdlog::info("removed {} unused packages", *removed);
    more = removed && *removed == kCleanedAtOnce;
  }
}

asio::awaitable<void> keep_reserve(DiskReserve& reserve, Workers& workers) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    timer.expires_after(kTakeBackEvery);
    auto [error] = co_await timer.async_wait(kUse);
    if (error) co_return;
    [[maybe_unused]] const auto taken = co_await workers.on_catalogue([&reserve]() -> Result<void> {
      reserve.take_back();
      return {};
    });
  }
}

// What large payloads have made this process grow to is the host's again when nothing has been invoked for a while.
asio::awaitable<void> give_memory_back(Fleet& fleet) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (bool was_quiet = false;;) {
    timer.expires_after(kQuiet);
    auto [error] = co_await timer.async_wait(kUse);
    if (error) co_return;
    const bool is_quiet = fleet.counts().serving == 0 && fleet.counts().waiting == 0;
    if (was_quiet && is_quiet && ::mallinfo2().fordblks > kUnusedBytesMax) ::malloc_trim(0);
    was_quiet = is_quiet;
  }
}

// `processor_time` outlives the response.
asio::awaitable<http::Response> health(const std::string& processor_time) {
  http::Response response(200, "text/plain; charset=utf-8", "ok\n");
  response.add_header("Ogni-Processor-Time", processor_time);
  co_return response;
}

asio::awaitable<void> drain(Fleet& fleet, http::Server& server, asio::io_context& context) {
  const auto counts = fleet.counts();
  spdlog::info("draining: {} environments, {} invocations", counts.environments, counts.serving);
  // Shared: the fleet may say so at once, or only when it is destroyed, after this frame.
  auto patience = std::make_shared<asio::steady_timer>(context, kDrainMax);
  fleet.drain([patience] { patience->expires_at(asio::steady_timer::time_point::min()); });
  co_await patience->async_wait(kUse);
  fleet.abandon();
  co_await server.stop(1s);
  context.stop();
}

int serve(const Settings& settings) {
  // Payloads of megabytes come and go: their pages are kept for the next one instead of being given back and faulted in
  // again with each.
  ::mallopt(M_MMAP_THRESHOLD, 16 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 32 << 20);
  // Standard output is for the line that says where we listen.
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()));
  spdlog::set_level(spdlog::level::from_str(settings.log_level));
  const std::size_t descriptors = raise_descriptor_limit();
  auto ground = prepare(settings);
  if (!ground) {
    std::fprintf(stderr, "ogni serve: %s\n", ground.error().message().c_str());
    return 1;
  }

  auto code = catalogue::CodeStore::open(
      ground->data.get(),
      {.unzipped_bytes_max = protocol::limits::kUnzippedBytesMax - 1, .entries_max = protocol::limits::kZipEntriesMax});
  if (!code) {
    std::fprintf(stderr, "ogni serve: %s\n", code.error().message().c_str());
    return 1;
  }
  auto root_store = catalogue::RootStore::open(ground->data.get());
  if (!root_store) {
    std::fprintf(stderr, "ogni serve: %s\n", root_store.error().message().c_str());
    return 1;
  }
  if (!settings.rootfs.empty() && settings.rootfs != catalogue::kHostRoot && !ground->root) {
    if (auto known = check_root_name(*root_store, settings.rootfs); !known) {
      std::fprintf(stderr, "ogni serve: %s\n", known.error().message().c_str());
      return 1;
    }
  }
  if (auto swept = root_store->sweep(); !swept) {
    spdlog::warn("removed root file systems are still there: {}", swept.error().message());
  }
  Roots roots(*root_store, {.name = settings.rootfs,
                            .directory = std::move(ground->root),
                            .has_namespaces = ground->strength == sandbox::Strength::kNamespace});
  DiskReserve reserve(ground->data.get());
  auto catalogue = reserve.with_room([&] { return catalogue::Catalogue::open(ground->data.get()); });
  if (!catalogue) {
    std::fprintf(stderr, "ogni serve: %s\n", catalogue.error().message().c_str());
    return 1;
  }

  asio::io_context context(1);
  int status = 0;
  Workers workers;
  LogStore logs(std::move(ground->logs));
  asio::steady_timer log_flush(context);
  logs.on_unwritten([&] {
    log_flush.expires_after(kLogFlushAfter);
    log_flush.async_wait([&](const boost::system::error_code& error) {
      if (!error) logs.flush();
    });
  });
  Functions functions(**catalogue, workers, kFunctionsKnownMax, &reserve);

  const std::size_t environments_by_descriptors =
      descriptors > kDescriptorsReserved + settings.connections_max
          ? (descriptors - kDescriptorsReserved - settings.connections_max) / kDescriptorsPerEnvironment
          : 1;
  Fleet::Options options;
  options.strength = ground->strength;
  options.limits.concurrency_max = settings.concurrency_max;
  options.limits.environments_max =
      std::max<std::size_t>(1, std::min<std::size_t>(environments_by_descriptors, 10'000));
  options.limits.memory_mb_max = host_memory_mb() * settings.memory_overcommit;
  options.limits.starts_max = settings.starts_max;
  options.limits.start_wait_max = settings.start_wait;
  options.limits.reuse_grace_max = settings.reuse_grace;
  options.limits.idle_max = settings.idle_max;
  options.limits.freeze_after = settings.freeze_after;
  options.processor_quota = settings.processor_quota;
  options.network = settings.network;
  options.home = {.account = settings.account, .region = settings.region};
  options.runtime_directory = std::move(ground->runtime);
  options.temporary_directory = std::move(ground->temporary);
  const std::string processor_time = processor_policy(ground->launcher->processor_way(), settings.processor_quota);
  const std::vector<std::string> weaker = ground->launcher->weaker();
  Fleet fleet(context, std::move(*ground->launcher), **code, roots, logs, std::move(options));
  fleet.start([&] {
    status = 1;
    context.stop();
  });

  const auto port = http::port_of(ground->listener.get());
  if (!port) {
    std::fprintf(stderr, "ogni serve: %s\n", port.error().message().c_str());
    return 1;
  }
  const bool ipv6 = settings.listen_address.find(':') != std::string::npos;
  const std::string url =
      "http://" + (ipv6 ? "[" + settings.listen_address + "]" : settings.listen_address) + ":" + std::to_string(*port);
  http::Router router;
  Api api({.executor = context.get_executor(),
           .catalogue = **catalogue,
           .code_store = **code,
           .workers = workers,
           .functions = functions,
           .invoker = fleet},
          {.home = {.account = settings.account, .region = settings.region},
           .activation_delay = settings.activation_delay,
           .allow_nearest_python = settings.allow_nearest_python,
           .roots = &roots,
           .concurrency_max = settings.concurrency_max});
  api.add_routes(router);
  add_log_routes(router, logs);
  router.add({.method = http::Method::kGet,
              .path = "/healthz",
              .query = {},
              .operation = "Health",
              .body_max = 0,
              .handler = [&processor_time](http::Request&) -> asio::awaitable<http::Response> {
                return health(processor_time);
              }});

  http::Server server(
      context.get_executor(),
      {.router = &router, .guard = http::Guard(settings.allowed_hosts), .render_failure = Api::failure_renderer(),
       .filter = api.request_filter()},
      {.connections_max = settings.connections_max});
  if (auto serving = server.serve(std::move(ground->listener)); !serving) {
    std::fprintf(stderr, "ogni serve: %s\n", serving.error().message().c_str());
    return 1;
  }

  asio::signal_set signals(context, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (error) return;
    asio::co_spawn(context, drain(fleet, server, context), asio::detached);
    signals.async_wait([&](const boost::system::error_code& again, int) {
      if (!again) context.stop();  // asked twice: at once
    });
  });
  asio::co_spawn(context, clean_code(**catalogue, **code, *root_store, fleet, workers), asio::detached);
  asio::co_spawn(context, give_memory_back(fleet), asio::detached);
  asio::co_spawn(context, keep_reserve(reserve, workers), asio::detached);

  spdlog::info("isolation: {}{}", sandbox::to_string(ground->strength),
               settings.isolation ? "" : " (auto: the strongest that works here)");
  spdlog::info("processor time: {}", processor_time);
  for (const std::string& line : weaker) spdlog::warn("weaker here: {}", line);
  std::printf("listening on %s\n", url.c_str());
  std::fflush(stdout);
  context.run();
  logs.flush();
  workers.join();
  return status;
}

}  // namespace

int run_daemon(const Settings& settings) {
  // No thread can be started, no descriptor is left.
  const auto refuse = [](const std::exception& thrown) {
    std::fprintf(stderr, "ogni serve: %s\n", thrown.what());
    return 1;
  };
  try {
    return serve(settings);
  } catch (const std::system_error& thrown) {
    return refuse(thrown);
  } catch (const boost::system::system_error& thrown) {
    return refuse(thrown);
  }
}

}  // namespace ogni::service
