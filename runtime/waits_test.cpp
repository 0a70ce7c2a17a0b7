// What the client asks the kernel for, seen at the calls themselves: where bytes go, and how long it waits. The C library's
// functions are this program's own here, so that a minute passes in no time.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/client.h"
#include "runtime/test_fixtures.h"

namespace {

// Of the thread that has it: the client's, not the platform's.
struct Watch {
  struct Piece {
    const char* data;
    std::size_t bytes;
  };
  std::vector<Piece> received;
  std::vector<Piece> sent;
  std::vector<int> polled_ms;
  int receives_too_late = 0;  // so many pass their time-out, which is said to have happened
};
thread_local Watch* watch = nullptr;

}  // namespace

extern "C" {
ssize_t recv(int socket, void* data, size_t size, int flags) {
  if (watch != nullptr && (flags & MSG_PEEK) == 0 && watch->receives_too_late > 0) {
    --watch->receives_too_late;
    errno = EAGAIN;
    return -1;
  }
  const ssize_t count = ::recvfrom(socket, data, size, flags, nullptr, nullptr);
  if (watch != nullptr && count > 0)
    watch->received.push_back({static_cast<const char*>(data), static_cast<std::size_t>(count)});
  return count;
}
ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  const ssize_t count = ::syscall(SYS_sendmsg, socket, message, flags);
  std::size_t left = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (std::size_t i = 0; watch != nullptr && left > 0; ++i) {
    const std::size_t bytes = std::min(left, message->msg_iov[i].iov_len);
    watch->sent.push_back({static_cast<const char*>(message->msg_iov[i].iov_base), bytes});
    left -= bytes;
  }
  return count;
}
int poll(pollfd* descriptors, nfds_t count, int timeout_ms) {
  if (watch != nullptr) watch->polled_ms.push_back(timeout_ms);
  const timespec limit = {timeout_ms / 1000, timeout_ms % 1000 * 1'000'000L};
  return ::ppoll(descriptors, count, timeout_ms < 0 ? nullptr : &limit, nullptr);
}
}

namespace ogni::runtime {
namespace {

using Answer = Client::Answer;

class Waits : public PlatformTest {
 protected:
  void TearDown() override {
    watch = nullptr;
    PlatformTest::TearDown();
  }
  static std::size_t bytes_within(const std::vector<Watch::Piece>& pieces, std::string_view place) {
    std::size_t bytes = 0;
    for (const auto& piece : pieces) {
      const bool inside = piece.data >= place.data() && piece.data + piece.bytes <= place.data() + place.size();
      bytes += inside ? piece.bytes : 0;
    }
    return bytes;
  }
  static std::size_t bytes_of(const std::vector<Watch::Piece>& pieces) {
    std::size_t bytes = 0;
    for (const auto& piece : pieces) bytes += piece.bytes;
    return bytes;
  }

  Watch seen_;
};

// One copy by the kernel in, one out. What comes along with the head, 16 KiB at most, is copied once more.
TEST_F(Waits, SixMegabytesAreReceivedInTheirPlaceAndSentFromThere) {
  constexpr std::size_t kBytes = 6 * 1024 * 1024;
  constexpr std::size_t kWithTheHead = 16 * 1024;
  const std::string payload(kBytes, 'x');
  std::size_t answered = 0;
  platform([&](TestServer& server) {
    for (int i = 0; i < 3; ++i) {
      server.read();
      server.send_event("id", payload);
      answered += server.read().value_or(TestServer::Request{}).body.size();
      server.send_status("202 Accepted");
    }
  });
  Client client(*parse_endpoint(server_.address()), "test");
  for (int i = 0; i < 3; ++i) {
    seen_ = {};
    watch = &seen_;
    ASSERT_TRUE(client.next());
    const std::string_view event = client.invocation().event;
    ASSERT_EQ(event.size(), kBytes);
    EXPECT_GE(bytes_within(seen_.received, event), kBytes - kWithTheHead);
    EXPECT_LE(bytes_of(seen_.received) - bytes_within(seen_.received, event), kWithTheHead);
    seen_ = {};
    ASSERT_EQ(client.respond(event, "application/json"), Answer::kAccepted);
    watch = nullptr;
    EXPECT_EQ(bytes_within(seen_.sent, event), kBytes);
    EXPECT_LE(bytes_of(seen_.sent) - kBytes, 1024U) << "the head";
  }
  platform_.join();
  EXPECT_EQ(answered, 3 * kBytes);
}

class LateAcknowledgement : public Waits {
 protected:
  // Streams one answer, whose acknowledgement comes after `late` waits of a minute, to an invocation that ends in `left`.
  Answer stream(int late, std::chrono::milliseconds left) {
    platform([left](TestServer& server) {
      server.read();
      const auto deadline = std::chrono::system_clock::now().time_since_epoch() + left;
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count();
      server.send("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id\r\nLambda-Runtime-Deadline-Ms: " +
                  std::to_string(ms) + "\r\nContent-Length: 2\r\n\r\n{}");
      EXPECT_EQ(server.read().value_or(TestServer::Request{}).body, "bytes");
      server.send_status("202 Accepted");
      server.wait_for("x");  // until the client is gone
    });
    Client client(*parse_endpoint(server_.address()), "test");
    EXPECT_TRUE(client.next());
    watch = &seen_;
    EXPECT_EQ(client.stream_begin("text/plain"), Answer::kAccepted);
    EXPECT_TRUE(client.stream_write("bytes"));
    seen_.receives_too_late = late;
    const Answer answer = client.stream_end();
    watch = nullptr;
    return answer;
  }
};

TEST_F(LateAcknowledgement, OfAStreamIsWaitedForAsLongAsTheInvocationHasTime) {
  EXPECT_EQ(stream(1, std::chrono::minutes(15)), Answer::kAccepted);
  ASSERT_EQ(seen_.polled_ms.size(), 1U);
  EXPECT_GT(seen_.polled_ms[0], 10 * 60 * 1000);
  EXPECT_LE(seen_.polled_ms[0], 14 * 60 * 1000) << "a minute has passed in the receive";
}

TEST_F(LateAcknowledgement, OfAStreamIsGivenUpAfterAMinuteWhereTheTimeIsOver) {
  EXPECT_EQ(stream(1, std::chrono::milliseconds(0)), Answer::kRefused);
  EXPECT_TRUE(seen_.polled_ms.empty());
}

TEST_F(Waits, ABufferedAnswerThatIsNotAcknowledgedInAMinuteIsGivenAgain) {
  platform([](TestServer& server) {
    server.read();
    server.send_event("id", "{}");
    EXPECT_EQ(server.read().value_or(TestServer::Request{}).body, "[1]");
    EXPECT_EQ(server.read().value_or(TestServer::Request{}).body, "[1]") << "on a new connection";
    server.send_status("202 Accepted");
  });
  Client client(*parse_endpoint(server_.address()), "test");
  ASSERT_TRUE(client.next());
  watch = &seen_;
  seen_.receives_too_late = 1;
  EXPECT_EQ(client.respond("[1]", "application/json"), Answer::kAccepted);
  watch = nullptr;
  platform_.join();
  EXPECT_EQ(server_.connections(), 2);
}

TEST_F(Waits, AnEventIsWaitedForWithoutLimit) {
  platform([](TestServer& server) {
    server.read();
    server.send_event("id", "{}");
  });
  Client client(*parse_endpoint(server_.address()), "test");
  watch = &seen_;
  seen_.receives_too_late = 60 * 24;
  EXPECT_TRUE(client.next()) << "a day later";
  watch = nullptr;
  EXPECT_TRUE(seen_.polled_ms.empty());
}

}  // namespace
}  // namespace ogni::runtime
