// What is left after kill -9, on a full disk, and below a directory that can no longer be reached.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <set>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "catalogue/catalogue.h"
#include "catalogue/child_process.h"
#include "catalogue/code_store.h"
#include "catalogue/test_zip.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {
namespace {

constexpr CodeStore::Limits kLimits{.unzipped_bytes_max = 16 << 20, .entries_max = 1000};
constexpr uid_t kUnusedUid = 0x4F47FFF0;

CodeReference some_code() { return {.sha256_hex = std::string(64, 'a'), .zip_bytes = 1, .unzipped_bytes = 1}; }

std::string zip_of(const std::string& content) {
  return TestZip{{.name = "bootstrap", .content = content, .mode = 0100755},
                 {.name = "lib/one", .content = content},
                 {.name = "lib/two", .content = content}}
      .bytes();
}

// Every third one.
bool is_to_be_deleted(const std::string& name) { return std::stoi(name.substr(name.find('-') + 1)) % 3 == 2; }

// Functions and code for ever, each told by one line on the pipe after it was acknowledged.
std::string create_until_killed(int directory, int round, int pipe) {
  auto catalogue = Catalogue::open(directory);
  if (!catalogue) return catalogue.error().message();
  auto store = CodeStore::open(directory, kLimits);
  if (!store) return store.error().message();
  for (int i = 0;; ++i) {
    const std::string name = "f" + std::to_string(round) + "-" + std::to_string(i);
    auto code = (*store)->add(zip_of(name));
    if (!code) return code.error().message();
    auto created = (*catalogue)->create_function(name, {}, *code, {{"round", std::to_string(round)}});
    if (!created) return created.error().message();
    if (!write_all(pipe, name + "\n")) return "pipe";
    if (auto done = (*catalogue)->complete_function(created->instance); !done) return done.error().message();
    if (!is_to_be_deleted(name)) continue;
    if (!(*catalogue)->delete_function(name)) return "delete";
    if (!write_all(pipe, "-" + name + "\n")) return "pipe";
  }
}

// One line, or nothing when the writer has died within it.
std::optional<std::string> read_line(int fd) {
  std::string line;
  for (char c = 0; ::read(fd, &c, 1) == 1;) {
    if (c == '\n') return line;
    line += c;
  }
  return std::nullopt;
}

TEST(Durability, KeepsWhatWasAcknowledgedBeforeKill9) {
  TemporaryDirectory directory;
  std::mt19937 random(3);
  std::set<std::string> acknowledged;
  std::set<std::string> deleted;
  const auto note = [&](const std::string& line) {
    (line.starts_with('-') ? deleted : acknowledged).insert(line.starts_with('-') ? line.substr(1) : line);
  };
  for (int round = 0; round < 30; ++round) {
    {
      ChildProcess child([&](int pipe) { return create_until_killed(directory.descriptor(), round, pipe); });
      for (auto lines = 1 + random() % 6; lines > 0; --lines) {
        auto line = read_line(child.pipe());
        ASSERT_TRUE(line);
        note(*line);
      }
      child.kill();
      while (auto line = read_line(child.pipe())) note(*line);
    }
    auto catalogue = Catalogue::open(directory.descriptor());
    ASSERT_TRUE(catalogue) << catalogue.error().message();
    auto store = CodeStore::open(directory.descriptor(), kLimits);
    ASSERT_TRUE(store) << store.error().message();
    for (const auto& name : deleted) EXPECT_FALSE((*catalogue)->function(name)) << name;
  }
  auto catalogue = Catalogue::open(directory.descriptor()).value();
  auto store = CodeStore::open(directory.descriptor(), kLimits).value();
  std::size_t kept = 0;
  for (const auto& name : acknowledged) {
    if (deleted.contains(name)) continue;
    auto function = catalogue->function(name);
    if (!function && is_to_be_deleted(name)) continue;  // deleted, and killed before it could say so
    ASSERT_TRUE(function) << name;
    EXPECT_EQ(function->state, State::kActive);
    auto tree = store->open_tree(function->code.sha256_hex);
    ASSERT_TRUE(tree) << name;
    for (const char* file : {"bootstrap", "lib/one", "lib/two"}) {
      EXPECT_EQ(read_file_at(tree->get(), file).value_or("absent"), name);
    }
    ++kept;
  }
  EXPECT_GE(kept, 30U);
  EXPECT_EQ(read_file_at(directory.descriptor(), "code/.adding").error().system_error(), ENOENT);
  auto code = open_at(directory.descriptor(), "code", O_RDONLY | O_DIRECTORY).value();
  for (const auto& name : list_directory(code.get()).value()) EXPECT_FALSE(name.starts_with('.')) << name;
}

// Runs as a user who cannot reach the directory by name. Says what is wrong.
std::string use_by_descriptor(int directory, const std::string& path) {
  if (::setresgid(kUnusedUid, kUnusedUid, kUnusedUid) != 0 || ::setresuid(kUnusedUid, kUnusedUid, kUnusedUid) != 0) {
    return "cannot become another user";
  }
  if (::access(path.c_str(), F_OK) == 0) return "the path can be reached";
  if (::chdir("/") != 0) return "chdir";
  for (int round = 0; round < 3; ++round) {
    auto catalogue = Catalogue::open(directory);
    if (!catalogue) return "open: " + catalogue.error().message();
    const std::string name = "f" + std::to_string(round);
    auto created = (*catalogue)->create_function(name, {}, some_code(), {});
    if (!created) return "create: " + created.error().message();
    for (const char* file : {"catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "lock"}) {
      struct stat status{};
      if (::fstatat(directory, file, &status, 0) != 0) return std::string(file) + " is not there";
      if (status.st_uid != kUnusedUid) return std::string(file) + " is another's";
    }
    for (int before = 0; before <= round; ++before) {
      if (!(*catalogue)->function("f" + std::to_string(before))) return "lost";
    }
    auto store = CodeStore::open(directory, kLimits);
    if (!store) return "open code: " + store.error().message();
    auto code = (*store)->add(zip_of(name));
    if (!code) return "add: " + code.error().message();
    if (!(*store)->open_tree(code->sha256_hex)) return "no tree";
    auto shut =
        (*store)->add(TestZip{{.name = name + "/", .mode = 040000}, {.name = name + "/f", .mode = 0100000}}.bytes());
    if (!shut) return "add shut: " + shut.error().message();
    auto merged = (*store)->merged_tree({code->sha256_hex, shut->sha256_hex});
    if (!merged) return "merge: " + merged.error().message();
  }
  auto store = CodeStore::open(directory, kLimits);
  if (!store) return "reopen code: " + store.error().message();
  auto removed = (*store)->remove_unused({});
  if (!removed) return "remove: " + removed.error().message();
  if (*removed != 6) return "removed " + std::to_string(*removed);
  return {};
}

TEST(Durability, WorksBelowADirectoryThatCannotBeReached) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  TemporaryDirectory outer;
  ASSERT_EQ(::chmod(outer.path().c_str(), 0700), 0);
  for (const int flags : {O_RDONLY, O_PATH}) {
    const auto path = outer.path() / (flags == O_PATH ? "path" : "read");
    std::filesystem::create_directory(path);
    ASSERT_EQ(::chown(path.c_str(), kUnusedUid, kUnusedUid), 0);
    auto directory = open_file(path, flags | O_DIRECTORY).value();
    ChildProcess child([&](int) { return use_by_descriptor(directory.get(), path); });
    EXPECT_EQ(child.wait(), "");
  }
}

// Mounts a small file system of its own for this process. "skip" where the kernel does not let us.
std::string mount_small(const std::string& path) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  if (::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER) != 0) return "skip";
  if (uid != 0) {
    std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/gid_map") << "0 " << gid << " 1";
    if (::getuid() != 0 || ::getgid() != 0) return "skip";
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return "skip";
  if (::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0) return "skip";
  return {};
}

std::string fill_catalogue(const std::string& path) {
  if (auto mounted = mount_small(path); !mounted.empty()) return mounted;
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  auto catalogue = Catalogue::open(directory->get());
  if (!catalogue) return catalogue.error().message();
  FunctionSettings settings;
  settings.description = std::string(10'000, 'x');
  settings.layers = {{.arn = "arn", .code = some_code()}};
  int created = 0;
  for (;; ++created) {
    if (created > 1000) return "the disk never fills";
    auto function = (*catalogue)->create_function("f" + std::to_string(created), settings, some_code(), {});
    if (function) continue;
    if (function.error().code() != ErrorCode::kLimit) return "wrong error: " + function.error().message();
    if (function.error().message() != "no space left on the device") return function.error().message();
    break;
  }
  if (created < 3) return "full at once";
  if ((*catalogue)->usage()->functions != static_cast<std::uint64_t>(created)) return "half a function";
  if ((*catalogue)->function("f" + std::to_string(created))) return "half a function";
  // Space again: the rest is intact, and goes on.
  if (::mount("tmpfs", path.c_str(), "tmpfs", MS_REMOUNT, "size=8m") != 0) return "remount";
  auto again = (*catalogue)->create_function("again", settings, some_code(), {});
  if (!again) return "again: " + again.error().message();
  catalogue->reset();
  catalogue = Catalogue::open(directory->get());
  if (!catalogue) return catalogue.error().message();
  if ((*catalogue)->usage()->functions != static_cast<std::uint64_t>(created) + 1) return "lost";
  return {};
}

std::string fill_code_store(const std::string& path) {
  if (auto mounted = mount_small(path); !mounted.empty()) return mounted;
  auto directory = open_file(path, O_RDONLY | O_DIRECTORY);
  auto store = CodeStore::open(directory->get(), kLimits);
  if (!store) return store.error().message();
  auto small = (*store)->add(zip_of("small"));
  if (!small) return small.error().message();
  auto large = (*store)->add(TestZip{{.name = "a", .content = std::string(900'000, 'x')}}.bytes());
  if (large) return "the disk never fills";
  if (large.error().code() != ErrorCode::kLimit) return "wrong error: " + large.error().message();
  auto code = open_at(directory->get(), "code", O_RDONLY | O_DIRECTORY);
  if (list_directory(code->get())->size() != 1) return "something is left";
  auto next = (*store)->add(TestZip{{.name = "a", .content = std::string(300'000, 'x')}}.bytes());
  if (!next) return "next: " + next.error().message();
  return {};
}

TEST(Durability, SurvivesAFullDisk) {
  for (auto* fill : {fill_catalogue, fill_code_store}) {
    TemporaryDirectory directory;
    ChildProcess child([&](int) { return fill(directory.path()); });
    const std::string said = child.wait();
    if (said == "skip") GTEST_SKIP() << "the kernel does not let this user mount a file system";
    EXPECT_EQ(said, "");
  }
}

TEST(Durability, LocksOutOtherProcesses) {
  TemporaryDirectory directory;
  auto catalogue = Catalogue::open(directory.descriptor()).value();
  ChildProcess child([&](int) -> std::string {
    auto second = Catalogue::open(directory.descriptor());
    return !second && second.error().code() == ErrorCode::kConflict ? "" : "opened twice";
  });
  EXPECT_EQ(child.wait(), "");
  auto lock = open_at(directory.descriptor(), "lock", O_RDONLY);
  ASSERT_TRUE(lock);
}

}  // namespace
}  // namespace ogni::catalogue
