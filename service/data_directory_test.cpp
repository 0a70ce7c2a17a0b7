#include "service/data_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/system.h"
#include "base/temporary_directory.h"

namespace ogni::service {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// The files belong to whoever runs the test, so another user is made by the identity.
const Identity kSelf{.uid = ::geteuid(), .gid = ::getegid(), .must_change = false};
const Identity kOther{.uid = ::geteuid() + 1, .gid = ::getegid() + 1, .must_change = false};

mode_t mode_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

class DataDirectoryTest : public ::testing::Test {
 protected:
  std::string data() const { return (directory_.path() / "data").string(); }

  TemporaryDirectory directory_;
};

TEST_F(DataDirectoryTest, OfAnotherUserIsRefused) {
  if (::geteuid() == 0) GTEST_SKIP() << "root's files are trusted";
  fs::create_directory(data());
  ::chmod(data().c_str(), 0777);

  const auto opened = open_data_directory(data(), kOther);

  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(opened.error().message().find("another user"), std::string::npos) << opened.error().message();
}

TEST_F(DataDirectoryTest, OfAnotherUserIsRefusedAsRootGivesIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  fs::create_directory(data());
  ASSERT_EQ(::chown(data().c_str(), 4001, 4001), 0);
  EXPECT_FALSE(open_data_directory(data(), {.uid = 4002, .gid = 4002, .must_change = false}));
  EXPECT_TRUE(open_data_directory(data(), {.uid = 4001, .gid = 4001, .must_change = false}));
  // Started as root for somebody else it is taken over only while nothing is in it.
  std::ofstream(data() + "/file") << "x";
  EXPECT_FALSE(open_data_directory(data(), {.uid = 4002, .gid = 4002, .must_change = true}));
}

TEST_F(DataDirectoryTest, WhatAnotherUserHasPutThereIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  const Identity owner{.uid = 4001, .gid = 4001, .must_change = false};
  for (const std::string name : {"catalogue.db", "code/planted", "logs/planted", "runtime/planted"}) {
    fs::remove_all(data());
    fs::create_directories(data() + "/" + fs::path(name).parent_path().string());
    std::ofstream(data() + "/" + name) << "x";
    for (const auto& entry : fs::recursive_directory_iterator(data())) {
      ASSERT_EQ(::chown(entry.path().c_str(), 4001, 4001), 0);
    }
    ASSERT_EQ(::chown(data().c_str(), 4001, 4001), 0);
    EXPECT_TRUE(open_data_directory(data(), owner)) << name;
    ASSERT_EQ(::chown((data() + "/" + name).c_str(), 4002, 4002), 0);

    const auto opened = open_data_directory(data(), owner);

    ASSERT_FALSE(opened) << name;
    EXPECT_NE(opened.error().message().find(name), std::string::npos) << opened.error().message();
  }
}

TEST_F(DataDirectoryTest, OpenToOthersIsClosedWithWhatIsInIt) {
  fs::create_directories(data() + "/code");
  fs::create_directories(data() + "/logs");
  for (const std::string& path : {data(), data() + "/code", data() + "/logs"})
    ASSERT_EQ(::chmod(path.c_str(), 0777), 0);

  ASSERT_TRUE(open_data_directory(data(), kSelf));

  for (const std::string& path : {data(), data() + "/code", data() + "/logs"}) EXPECT_EQ(mode_of(path), 0700U) << path;
}

TEST_F(DataDirectoryTest, SharedByACommandIsClosedToo) {
  if (::geteuid() == 0) GTEST_SKIP() << "root's own is given to the service's user";
  fs::create_directories(data());
  ASSERT_EQ(::chmod(data().c_str(), 0777), 0);
  ASSERT_TRUE(share_data_directory(data(), ""));
  EXPECT_EQ(mode_of(data()), 0700U);
}

TEST_F(DataDirectoryTest, SubdirectoryThatIsALinkIsRefused) {
  auto opened = open_data_directory(data(), kSelf);
  ASSERT_TRUE(opened);
  fs::create_directory_symlink("/tmp", data() + "/logs");
  EXPECT_FALSE(open_subdirectory(opened->get(), "logs", kSelf));
}

TEST_F(DataDirectoryTest, LauncherThatStillLivesIsWaitedFor) {
  auto opened = open_data_directory(data(), kSelf);
  ASSERT_TRUE(opened);
  auto held = lock_for_launcher(opened->get(), kSelf, 0ms);
  ASSERT_TRUE(held);
  // The lock goes along with a copy of the descriptor, as to the launcher.
  Fd copy(::fcntl(held->get(), F_DUPFD_CLOEXEC, 0));
  held->reset();

  const auto second = lock_for_launcher(opened->get(), kSelf, 0ms);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kConflict);

  copy.reset();
  EXPECT_TRUE(lock_for_launcher(opened->get(), kSelf, 10s));
}

TEST_F(DataDirectoryTest, RemembersWalls) {
  {
    auto opened = open_data_directory(data(), kSelf);
    ASSERT_TRUE(opened);
    EXPECT_FALSE(had_walls(opened->get()).value());
    ASSERT_TRUE(remember_walls(opened->get(), kSelf));
    ASSERT_TRUE(remember_walls(opened->get(), kSelf));
  }
  auto again = open_data_directory(data(), kSelf);
  ASSERT_TRUE(again);
  EXPECT_TRUE(had_walls(again->get()).value());
}

}  // namespace
}  // namespace ogni::service
