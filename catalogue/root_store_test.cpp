#include "catalogue/root_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "catalogue/test_tar.h"
#include "catalogue/tree.h"

namespace ogni::catalogue {
namespace {

namespace fs = std::filesystem;

class RootStoreTest : public ::testing::Test {
 protected:
  RootStoreTest() : store_(RootStore::open(data_.open().get()).value()) {}

  Result<RootInfo> import(const std::string& name, const std::string& content = "x",
                          RootStore::Existing existing = RootStore::Existing::kKeep) {
    const std::string path = (data_.path() / "source.tar").string();
    std::ofstream(path, std::ios::binary)
        << make_tar({{.name = "usr/lib/os-release", .content = "NAME=x\nPRETTY_NAME=\"" + content + " 1\"\n"},
                     {.name = "etc/os-release", .link = "../usr/lib/os-release"},
                     {.name = "file", .content = content}});
    const auto source = open_file(path, O_RDONLY);
    return store_.import(name, source->get(), path, wish_, existing);
  }
  std::string content(const Fd& tree) const { return read_file_at(tree.get(), "file").value_or("unreadable"); }
  // Whatever is there, dot names included.
  std::vector<std::string> names() const {
    const auto directory = open_file((data_.path() / "rootfs").string(), O_RDONLY | O_DIRECTORY);
    auto names = list_directory(directory->get()).value();
    std::ranges::sort(names);
    return names;
  }

  TemporaryDirectory data_;
  RootStore store_;
  ImportWish wish_{.limits = {.bytes_max = 1 << 20, .entries_max = 100}, .reference = {}};
};

TEST_F(RootStoreTest, KeepsWhatWasImported) {
  const auto imported = import("one", "Debian");
  ASSERT_TRUE(imported) << imported.error().message();
  EXPECT_EQ(imported->system, "Debian 1");
  auto again = RootStore::open(data_.open().get());
  const auto infos = again->list().value();
  ASSERT_EQ(infos.size(), 1U);
  EXPECT_EQ(infos[0].name, "one");
  EXPECT_EQ(infos[0].system, "Debian 1");
  EXPECT_EQ(infos[0].kind, "tar");
  EXPECT_EQ(infos[0].digest, imported->digest);
  EXPECT_EQ(infos[0].bytes, imported->bytes);
  const auto held = again->hold("one");
  ASSERT_TRUE(held) << held.error().message();
  EXPECT_EQ(content(held->tree), "Debian");
  EXPECT_EQ(again->hold("two").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(again->hold("../rootfs/one").error().code(), ErrorCode::kNotFound);
}

TEST_F(RootStoreTest, TakesPlainNamesOnly) {
  for (const char* name : {"", ".", "..", ".x", "a/b", "-x", "host", "a b", "a\nb"}) {
    EXPECT_EQ(import(name).error().code(), ErrorCode::kInvalidArgument) << name;
  }
  EXPECT_TRUE(is_root_name(std::string(64, 'a')));
  EXPECT_FALSE(is_root_name(std::string(65, 'a')));
  EXPECT_TRUE(import("al2023.6_x-86"));
  EXPECT_EQ(names(), std::vector<std::string>{"al2023.6_x-86"});
}

TEST_F(RootStoreTest, ReplacesOnlyWhenAsked) {
  ASSERT_TRUE(import("one", "old"));
  EXPECT_EQ(import("one", "new").error().code(), ErrorCode::kConflict);
  EXPECT_EQ(content(store_.hold("one")->tree), "old");
  ASSERT_TRUE(import("one", "new", RootStore::Existing::kReplace));
  EXPECT_EQ(content(store_.hold("one")->tree), "new");
  EXPECT_EQ(names(), std::vector<std::string>{"one"});
}

TEST_F(RootStoreTest, AnImportThatFailsLeavesNothing) {
  wish_.limits.entries_max = 2;
  EXPECT_EQ(import("one").error().code(), ErrorCode::kTooLarge);
  EXPECT_EQ(names(), std::vector<std::string>());
  wish_.limits.entries_max = 100;
  ASSERT_TRUE(import("one", "old"));
  wish_.limits.entries_max = 2;
  EXPECT_FALSE(import("one", "new", RootStore::Existing::kReplace));
  EXPECT_EQ(content(store_.hold("one")->tree), "old");
}

TEST_F(RootStoreTest, FilesInUseStayUntilTheyAreNot) {
  ASSERT_TRUE(import("one", "old"));
  {
    const auto held = store_.hold("one");
    ASSERT_TRUE(held);
    EXPECT_TRUE(store_.is_current("one", held->lock));
    ASSERT_TRUE(import("one", "new", RootStore::Existing::kReplace));
    EXPECT_FALSE(store_.is_current("one", held->lock));
    EXPECT_EQ(content(held->tree), "old");
    const auto other = store_.hold("one");
    EXPECT_EQ(store_.remove("one").value(), RootStore::Removed::kWhenUnused);
    EXPECT_EQ(store_.hold("one").error().code(), ErrorCode::kNotFound);
    EXPECT_TRUE(store_.list()->empty());
    EXPECT_EQ(content(other->tree), "new");
    EXPECT_EQ(names().size(), 2U);
  }
  EXPECT_TRUE(store_.sweep());
  EXPECT_EQ(names(), std::vector<std::string>());
  EXPECT_EQ(store_.remove("one").error().code(), ErrorCode::kNotFound);
}

// A pipe that never ends keeps the import in the middle of a file.
TEST_F(RootStoreTest, AKilledImportLeavesNothingForLong) {
  int pipe[2];
  ASSERT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  const std::string tar =
      make_tar({{.name = "first", .content = "x"}, {.name = "big", .content = std::string(50'000, 'x')}});
  ASSERT_EQ(::write(pipe[1], tar.data(), 20'000), 20'000);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[1]);
    (void)store_.import("one", pipe[0], "pipe", wish_, RootStore::Existing::kKeep);
    ::_exit(1);
  }
  const auto draft = [this] {
    for (const auto& name : names()) {
      if (fs::exists(data_.path() / "rootfs" / name / "tree/first")) return name;
    }
    return std::string();
  };
  for (int i = 0; i < 3000 && draft().empty(); ++i) ::usleep(10'000);
  ASSERT_NE(draft(), "");
  ASSERT_TRUE(import("two")) << "beside one that runs";
  EXPECT_EQ(names().size(), 2U) << "which is left alone";
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(pipe[0]);
  ::close(pipe[1]);
  EXPECT_EQ(store_.hold("one").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(store_.sweep());
  EXPECT_EQ(names(), std::vector<std::string>{"two"});
}

TEST_F(RootStoreTest, OpensNothingWhereThereIsNone) {
  const TemporaryDirectory empty;
  EXPECT_FALSE(RootStore::open_existing(empty.open().get()).value());
  EXPECT_TRUE(RootStore::open_existing(data_.open().get()).value());
}

}  // namespace
}  // namespace ogni::catalogue
