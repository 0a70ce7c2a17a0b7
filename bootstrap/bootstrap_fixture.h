// The real program against a platform that the test plays.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "runtime/test_server.h"

namespace ogni::bootstrap {

inline std::filesystem::path program() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bootstrap";
}

class BootstrapFixture : public testing::Test {
 protected:
  using TestServer = runtime::TestServer;
  using Request = TestServer::Request;

  void SetUp() override {
    ASSERT_TRUE(server_.ok());
    char name[] = "/tmp/ogni-bootstrap-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
    variables_ = {{"AWS_LAMBDA_RUNTIME_API", server_.address()},
                  {"LAMBDA_TASK_ROOT", name},
                  {"PATH", "/usr/bin:/bin"},
                  {"TMPDIR", name},
                  {"AWS_LAMBDA_FUNCTION_NAME", "greeter"},
                  {"AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"},
                  {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"},
                  {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/greeter"},
                  {"AWS_LAMBDA_LOG_STREAM_NAME", "stream"}};
  }
  void TearDown() override {
    stop();
    server_.hang_up();
    std::filesystem::remove_all(directory_);
  }

  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((directory_ / name).parent_path());
    std::ofstream(directory_ / name) << text;
  }
  void write_program(const std::string& name, const std::string& text) {
    write(name, text);
    std::filesystem::permissions(directory_ / name, std::filesystem::perms(0755));
  }
  void start(const std::string& handler) {
    variables_["_HANDLER"] = handler;
    std::vector<std::string> environment;
    for (const auto& [name, value] : variables_) environment.push_back(name + "=" + value);
    std::vector<char*> pointers;
    for (std::string& entry : environment) pointers.push_back(entry.data());
    pointers.push_back(nullptr);
    const std::string path = program();
    const std::string log = directory_ / "log";
    process_ = ::fork();
    if (process_ == 0) {
      const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      ::dup2(file, STDOUT_FILENO);
      ::dup2(file, STDERR_FILENO);
      char* arguments[] = {const_cast<char*>(path.c_str()), nullptr};
      ::execve(path.c_str(), arguments, pointers.data());
      ::_exit(126);
    }
  }
  Request invoke(std::string_view event, std::string_view fields = {}) {
    const auto next = server_.read();
    if (!next) return {"no poll\r\n", log()};
    EXPECT_EQ(next->line(), "GET /2018-06-01/runtime/invocation/next HTTP/1.1") << next->body;
    server_.send_event("id-" + std::to_string(++invocations_), event, fields);
    const auto answer = server_.read();
    if (!answer) return {"no answer\r\n", log()};
    server_.send_status("202 Accepted");
    return *answer;
  }
  // The report of a failed initialisation; `status` is how the program then ended.
  Request init_error(int& status) {
    const auto report = server_.read();
    server_.send_status("202 Accepted");
    status = end();
    return report.value_or(Request{"nothing\r\n", log()});
  }
  // So that servers end with what they have started themselves; a program that does not is killed.
  void stop() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < deadline) {
      if (::waitpid(process_, nullptr, WNOHANG) == process_) {
        process_ = -1;
        return;
      }
      std::this_thread::yield();
    }
    ::kill(process_, SIGKILL);
    end();
  }
  // The connection is closed last: a program that lives would come back and poll.
  void kill_program() {
    ::kill(process_, SIGKILL);
    end();
    server_.hang_up();
  }
  int end() {
    int status = -1;
    ::waitpid(process_, &status, 0);
    process_ = -1;
    return status;
  }
  std::string log() {
    std::ifstream stream(directory_ / "log");
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  TestServer server_;
  std::filesystem::path directory_;
  std::map<std::string, std::string> variables_;
  pid_t process_ = -1;
  int invocations_ = 0;
};

inline bool is_error(const runtime::TestServer::Request& request) {
  return request.line().find("/error ") != std::string::npos;
}

}  // namespace ogni::bootstrap
