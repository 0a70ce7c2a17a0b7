// Very many pollers in a process, which is a child of the test's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "ogni/runtime.hpp"

namespace ogni::runtime {
namespace {

constexpr int kPatienceMs = 60'000;

class Crowd : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &former_), 0);
    rlimit raised = former_;
    raised.rlim_cur = raised.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &raised), 0);
    descriptors_ = raised.rlim_cur;
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    ASSERT_EQ(::bind(listener_, generic, bytes), 0);
    ASSERT_EQ(::listen(listener_, 4096), 0);
    ASSERT_EQ(::getsockname(listener_, generic, &bytes), 0);
    ::setenv("AWS_LAMBDA_RUNTIME_API", ("127.0.0.1:" + std::to_string(ntohs(address.sin_port))).c_str(), 1);
    ::setenv("AWS_LAMBDA_MAX_CONCURRENCY", "1000", 1);
  }
  void TearDown() override {
    for (const int connection : connections_) ::close(connection);
    ::close(listener_);
    if (process_ > 0) {
      ::kill(process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    ::unsetenv("AWS_LAMBDA_MAX_CONCURRENCY");
    ::setrlimit(RLIMIT_NOFILE, &former_);
  }

  // The function, with so many descriptors.
  void start(rlim_t descriptors) {
    process_ = ::fork();
    if (process_ != 0) return;
    rlimit few = {descriptors, former_.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &few);
    ::_exit(
        run([](const Event& event, const Context&) { return Response::borrowed(event.body); }, {.concurrent = true}));
  }
  static bool is_ready(int descriptor, int wait_ms) {
    pollfd one = {descriptor, POLLIN, 0};
    return ::poll(&one, 1, wait_ms) == 1;
  }
  // A request's bytes, until `end` is there.
  static std::string read_until(int connection, std::string_view end) {
    std::string text;
    char buffer[4096];
    while (text.find(end) == std::string::npos && is_ready(connection, kPatienceMs)) {
      const ssize_t count = ::recv(connection, buffer, sizeof buffer, 0);
      if (count <= 0) break;
      text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
  }
  static void send(int connection, const std::string& text) {
    EXPECT_EQ(::send(connection, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }

  // So many poll at the same time, each is given an event of its own and answers it; then the platform fails.
  void serve(std::size_t expected) {
    while (connections_.size() < expected && is_ready(listener_, kPatienceMs))
      connections_.push_back(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC));
    ASSERT_EQ(connections_.size(), expected);
    for (const int connection : connections_)
      ASSERT_NE(read_until(connection, "\r\n\r\n").find("/invocation/next"), std::string::npos);
    for (std::size_t i = 0; i < expected; ++i) {
      const std::string event = "<" + std::to_string(i) + ">";
      send(connections_[i], "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: id-" + std::to_string(i) +
                                "\r\nContent-Length: " + std::to_string(event.size()) + "\r\n\r\n" + event);
    }
    for (std::size_t i = 0; i < expected; ++i) {
      const std::string answer = read_until(connections_[i], "\r\n\r\n<" + std::to_string(i) + ">");
      ASSERT_NE(answer.find("/invocation/id-" + std::to_string(i) + "/response"), std::string::npos) << answer;
      send(connections_[i], "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    }
    for (const int connection : connections_)
      ASSERT_NE(read_until(connection, "\r\n\r\n").find("/invocation/next"), std::string::npos);
    EXPECT_FALSE(is_ready(listener_, 0)) << "nobody else";
    send(connections_.front(), "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
    int status = 0;
    ASSERT_EQ(::waitpid(process_, &status, 0), process_);
    process_ = -1;
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 1);
  }

  rlimit former_ = {};
  rlim_t descriptors_ = 0;
  int listener_ = -1;
  pid_t process_ = -1;
  std::vector<int> connections_;
};

TEST_F(Crowd, OfAThousandPollersIsServed) {
  if (descriptors_ < 2100) GTEST_SKIP() << "a process may have " << descriptors_ << " descriptors";
  rlimit threads = {};
  ::getrlimit(RLIMIT_NPROC, &threads);
  if (threads.rlim_cur < 2000) GTEST_SKIP() << "a user may have " << threads.rlim_cur << " threads";
  start(2100);
  serve(1000);
}

// As on AWS, where a process has 1,024: a poller without a connection would end them all.
TEST_F(Crowd, IsSmallerWhereDescriptorsAreFew) {
  start(100);
  serve(50);
}

}  // namespace
}  // namespace ogni::runtime
