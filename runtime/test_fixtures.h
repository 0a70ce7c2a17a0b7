// What tests of the client and of functions begin with.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string_view>
#include <thread>
#include <utility>

#include "runtime/test_server.h"

namespace ogni::runtime {

// The platform's side runs beside the test until it has said all.
class PlatformTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(server_.ok()); }
  void TearDown() override {
    if (platform_.joinable()) platform_.join();
  }
  void platform(std::function<void(TestServer&)> script) {
    platform_ = std::thread([this, script = std::move(script)] { script(server_); });
  }

  TestServer server_;
  std::thread platform_;
};

// The function runs on a thread against the test's server, which ends it with a 500.
class FunctionTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.ok());
    ::setenv("AWS_LAMBDA_RUNTIME_API", server_.address().c_str(), 1);
  }
  void TearDown() override {
    if (runtime_.joinable()) runtime_.join();
  }
  void start_program(std::function<int()> program) {
    runtime_ = std::thread([this, program = std::move(program)] { status_ = program(); });
  }
  // One invocation, as seen by the platform. `fields` are whole lines with CRLF.
  TestServer::Request invoke(std::string_view event = "{}", std::string_view fields = {}) {
    if (!server_.read()) return {};
    server_.send_event("id-1", event, fields);
    auto answer = server_.read();
    server_.send_status("202 Accepted");
    return answer.value_or(TestServer::Request{});
  }
  int finish() {
    server_.read();
    server_.send_status("500 Internal Server Error");
    runtime_.join();
    return status_;
  }

  TestServer server_;
  std::thread runtime_;
  int status_ = -1;
};

}  // namespace ogni::runtime
