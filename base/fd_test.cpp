#include "base/fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <string>

#include "base/system.h"

namespace ogni {
namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(Fd, ClosesWhatItOwnsWhenItLeavesScope) {
  int number = -1;
  {
    auto fd = open_file("/dev/null", O_RDONLY);
    ASSERT_TRUE(fd);
    number = fd->get();
    EXPECT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Fd, AMovedFromOwnerClosesNothing) {
  auto fd = open_file("/dev/null", O_RDONLY);
  ASSERT_TRUE(fd);
  Fd taken = std::move(*fd);
  EXPECT_TRUE(is_open(taken.get()));
  EXPECT_FALSE(static_cast<bool>(*fd));
}

TEST(OpenFile, NamesTheFileItCouldNotOpen) {
  auto fd = open_file("/nonexistent/file", O_RDONLY);
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error().message(), "open /nonexistent/file: No such file or directory");
  EXPECT_EQ(fd.error().system_error(), ENOENT);
}

TEST(Messages, CarryBytesAndDescriptors) {
  auto pair = socket_pair();
  ASSERT_TRUE(pair);
  auto null = open_file("/dev/null", O_RDONLY);
  ASSERT_TRUE(null);
  const int sent[] = {null->get(), null->get()};
  ASSERT_TRUE(send_message(pair->first.get(), "hello", sent));

  auto message = receive_message(pair->second.get());

  ASSERT_TRUE(message);
  EXPECT_EQ(message->bytes, "hello");
  ASSERT_EQ(message->descriptors.size(), 2U);
  EXPECT_NE(::fcntl(message->descriptors[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Messages, ReportThePeersEnd) {
  auto pair = socket_pair();
  ASSERT_TRUE(pair);
  pair->first.reset();
  auto message = receive_message(pair->second.get());
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code(), ErrorCode::kUnavailable);
}

TEST(Messages, RefuseWhatDoesNotFit) {
  auto pair = socket_pair();
  ASSERT_TRUE(pair);
  ASSERT_TRUE(send_message(pair->first.get(), std::string(100, 'x')));
  auto message = receive_message(pair->second.get(), 10);
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code(), ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace ogni
