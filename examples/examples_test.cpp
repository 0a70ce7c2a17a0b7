// Each example greets and echoes, against a platform that the test plays.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "embedded/examples_default_bootstrap.h"
#include "embedded/hello_bash_bootstrap.h"
#include "embedded/hello_bash_script.h"
#include "embedded/hello_python_app.h"
#include "runtime/test_server.h"

namespace ogni {
namespace {

using runtime::TestServer;

std::filesystem::path programs() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path(); }

class ExamplesTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.ok());
    char name[] = "/tmp/ogni-examples-test-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    server_.hang_up();
    if (process_ > 0) {
      ::kill(-process_, SIGKILL);
      ::waitpid(process_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }

  std::string write(const std::string& name, std::string_view text) {
    const std::filesystem::path path = directory_ / name;
    std::ofstream(path) << text;
    return path;
  }
  // In a process group of its own, so that what it starts ends with it.
  void start(std::vector<std::string> arguments, const std::string& handler) {
    std::vector<std::string> environment = {"AWS_LAMBDA_RUNTIME_API=" + server_.address(), "_HANDLER=" + handler,
                                            "LAMBDA_TASK_ROOT=" + directory_.string(), "PATH=/usr/bin:/bin",
                                            "TMPDIR=" + directory_.string()};
    const auto pointers = [](std::vector<std::string>& texts) {
      std::vector<char*> result;
      for (std::string& text : texts) result.push_back(text.data());
      result.push_back(nullptr);
      return result;
    };
    const std::string program = arguments[0];
    if (arguments.size() > 1) arguments[0] = "sh";
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> envp = pointers(environment);
    process_ = ::fork();
    if (process_ == 0) {
      ::setpgid(0, 0);
      ::execve(program.c_str(), argv.data(), envp.data());
      ::_exit(126);
    }
    ::setpgid(process_, process_);
  }
  std::string invoke(std::string_view event) {
    if (!server_.read()) return "no poll";
    server_.send_event("id-1", event);
    const auto answer = server_.read();
    server_.send_status("202 Accepted");
    return answer ? answer->body : "no answer";
  }

  TestServer server_;
  std::filesystem::path directory_;
  pid_t process_ = -1;
};

TEST_F(ExamplesTest, HelloCppGreetsAndEchoes) {
  start({programs() / "examples/hello-cpp/bootstrap"}, "bootstrap");
  EXPECT_EQ(invoke("{\"name\":\"World\"}\n"), R"({"message":"Hello, World!"})");
  EXPECT_EQ(invoke(" { \"name\" : \"W\\u00e4 \\\"x\\\"\" } "), R"({"message":"Hello, W\u00e4 \"x\"!"})");
  for (const char* other :
       {"", "{}", "{\"name\":1}", "{\"name\":\"a\",\"b\":1}", "{\"name\":\"a", "{\"name\":\"a\\", "[1]"}) {
    EXPECT_EQ(invoke(other), other);
  }
}

TEST_F(ExamplesTest, HelloBashGreetsAndEchoes) {
  EXPECT_EQ(embedded::hello_bash_bootstrap, embedded::examples_default_bootstrap);
  write("hello.sh", embedded::hello_bash_script);
  start({"/bin/bash", write("bootstrap", embedded::hello_bash_bootstrap)}, "hello.handler");
  EXPECT_EQ(invoke("{\"name\":\"World\"}"), R"({"message":"Hello, World!"})");
  for (const char* other : {"{}", "{\"name\":1}", "[1, \"$(id) `id` %s\"]", "@/etc/passwd"})
    EXPECT_EQ(invoke(other), other);
  const std::string large = "\"" + std::string(300'000, 'x') + "\"";
  EXPECT_TRUE(invoke(large) == large) << "longer than an argument may be";
}

TEST_F(ExamplesTest, HelloPythonGreetsAndEchoes) {
  write("app.py", embedded::hello_python_app);
  start({programs() / "bootstrap"}, "app.handler");
  EXPECT_EQ(invoke("{\"name\":\"World\"}"), R"({"message": "Hello, World!"})");
  for (const char* other : {"{}", "[1]", "\"text\""}) EXPECT_EQ(invoke(other), other);
}

}  // namespace
}  // namespace ogni
