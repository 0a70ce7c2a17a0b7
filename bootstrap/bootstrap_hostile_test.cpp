// Handlers that misbehave, and what is left of it: descriptors, processes, state.
#include <algorithm>
#include <chrono>
#include <thread>

#include "bootstrap/bootstrap_fixture.h"

namespace ogni::bootstrap {
namespace {

using Request = runtime::TestServer::Request;

bool is_running(pid_t process) {
  std::ifstream stream("/proc/" + std::to_string(process) + "/stat");
  std::string id, name, state;
  return stream >> id >> name >> state && state != "Z";
}

class HostileTest : public BootstrapFixture {
 protected:
  void TearDown() override {
    for (const pid_t process : left_) ::kill(process, SIGKILL);
    BootstrapFixture::TearDown();
  }
  void start_python(const std::string& source) {
    write("app.py", source);
    start("app.handler");
  }
  // A process that the handler has told of, and which does not outlive the test.
  pid_t process_of(const std::string& body) {
    left_.push_back(std::stoi(body));
    return left_.back();
  }
  // What an invocation leaves that may outlive the program, if that is killed before it has cleaned up.
  enum class Leaves { kNothing, kProcess };
  // Invokes until it holds; every invocation is followed by a clean-up.
  template <typename Condition>
  bool invokes_until(const Condition& holds, const char* event, Leaves leaves = Leaves::kNothing) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      const std::string body = invoke(event).body;
      if (leaves == Leaves::kProcess) process_of(body);
    }
    return true;
  }
  std::vector<pid_t> children() const {
    std::ifstream stream("/proc/" + std::to_string(process_) + "/task/" + std::to_string(process_) + "/children");
    std::vector<pid_t> result;
    for (pid_t child; stream >> child;) result.push_back(child);
    return result;
  }

  std::vector<pid_t> left_;
};

// Children of three kinds: of the worker, orphaned, in a session of its own.
constexpr const char* kForks = R"(
import os, time
def leave(session, orphan):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        if session: os.setsid()
        if orphan and os.fork() != 0: os._exit(0)
        os.write(writing, str(os.getpid()).encode())
        time.sleep(300)
    if orphan: os.waitpid(child, 0)
    return int(os.read(reading, 20))
def handler(event, context):
    if event == 'child': return leave(False, False)
    if event == 'orphan': return leave(False, True)
    if event == 'session': return leave(True, True)
    if event == 'short':
        if os.fork() == 0:
            os.fork()
            os._exit(0)
        os.wait()
    return os.getpid()
)";

TEST_F(HostileTest, ChildrenAreKeptAndReapedUnlessTheyShallBeKilled) {
  start_python(kForks);
  const pid_t child = process_of(invoke("\"child\"").body);
  const pid_t orphan = process_of(invoke("\"orphan\"").body);
  const pid_t session = process_of(invoke("\"session\"").body);
  invoke("\"short\"");
  const std::string worker = invoke("1").body;
  for (const pid_t each : {child, orphan, session}) EXPECT_TRUE(is_running(each));
  // The worker and the two orphans: whatever has ended was reaped.
  EXPECT_TRUE(invokes_until([&] { return children().size() == 3; }, "1"));
  EXPECT_EQ(invoke("1").body, worker);
}

TEST_F(HostileTest, ChildrenAreKilledWhereThatIsWanted) {
  variables_["OGNI_CHILDREN"] = "kill";
  start_python(kForks);
  const std::string worker = invoke("1").body;
  for (const char* event : {"\"child\"", "\"orphan\"", "\"session\""}) {
    const pid_t left = process_of(invoke(event).body);
    EXPECT_TRUE(invokes_until([&] { return !is_running(left); }, "1")) << event;
  }
  EXPECT_EQ(invoke("1").body, worker) << "the worker is spared";
  EXPECT_TRUE(invokes_until([&] { return children().size() == 1; }, "1"));
}

// The Erlang VM has such a helper, and cannot go on without it.
TEST_F(HostileTest, ChildrenFromBeforeTheFirstInvocationAreSpared) {
  variables_["OGNI_CHILDREN"] = "kill";
  for (const char* prefork : {"0", "2"}) {
    variables_["OGNI_PREFORK"] = prefork;
    start_python(
        "import subprocess\nhelper = subprocess.Popen(['/bin/sleep', '300'])\n"
        "def handler(e, c):\n  with open(f'/proc/{helper.pid}/stat') as file: state = file.read().split()[2]\n"
        "  return 'gone' if state == 'Z' else helper.pid\n");
    for (int i = 0; i < 4; ++i) {
      const std::string body = invoke("1").body;
      ASSERT_NE(body, "\"gone\"") << prefork << " " << i;
      process_of(body);
    }
    kill_program();
  }
}

TEST_F(HostileTest, AProgramsChildrenAreKilledUnlessTheyShallBeKept) {
  write_program("hello", "#!/bin/bash\nsetsid sleep 300 > /dev/null 2>&1 &\necho $!\n");
  start("hello");
  const pid_t first = process_of(invoke("1").body);
  EXPECT_TRUE(invokes_until([&] { return !is_running(first); }, "1", Leaves::kProcess));
  kill_program();
  variables_["OGNI_CHILDREN"] = "keep";
  start("hello");
  const pid_t kept = process_of(invoke("1").body);
  process_of(invoke("1").body);
  EXPECT_TRUE(is_running(kept));
}

TEST_F(HostileTest, PreforkGivesEveryInvocationAFreshInterpreter) {
  variables_["OGNI_PREFORK"] = "2";
  variables_["OGNI_DEBUG"] = "1";
  start_python(
      "import os\nn = 0\ndef handler(e, c):\n  global n\n  n += 1\n  if e == 'exit': os._exit(3)\n"
      "  return [n, os.getpid()]\n");
  std::vector<std::string> seen;
  for (int i = 0; i < 6; ++i) {
    const std::string body = invoke("1").body;
    EXPECT_EQ(body.substr(0, 4), "[1, ") << body;
    EXPECT_EQ(std::count(seen.begin(), seen.end(), body), 0) << "another process each time";
    seen.push_back(body);
  }
  EXPECT_NE(invoke("\"exit\"").body.find("exit status 3"), std::string::npos);
  EXPECT_EQ(invoke("1").body.substr(0, 4), "[1, ");
  EXPECT_NE(log().find("a fresh one for each invocation"), std::string::npos);
}

TEST_F(HostileTest, PreforkReportsAFailedLoadAtInit) {
  variables_["OGNI_PREFORK"] = "3";
  start_python("x = = 1\n");
  int status = 0;
  EXPECT_NE(init_error(status).body.find("Runtime.UserCodeSyntaxError"), std::string::npos);
}

TEST_F(HostileTest, AHandlerThatNeverReturnsEndsWithTheRuntime) {
  start_python("import os\ndef handler(e, c):\n  print(os.getpid(), flush=True)\n  while True: pass\n");
  ASSERT_TRUE(server_.read());
  server_.send_event("id-1", "1");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (log().find('\n') == std::string::npos && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  const pid_t worker = process_of(log());
  ASSERT_TRUE(is_running(worker));
  ::kill(process_, SIGKILL);  // what a time-out does
  end();
  while (is_running(worker) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_FALSE(is_running(worker));
}

TEST_F(HostileTest, AHandlerHearsOfTheEndOfItsEnvironment) {
  start_python(
      "import signal, sys\ndef last(number, frame):\n  print('saying goodbye', flush=True)\n  sys.exit(0)\n"
      "signal.signal(signal.SIGTERM, last)\ndef handler(e, c): return 1\n");
  EXPECT_EQ(invoke("1").body, "1");
  ASSERT_TRUE(server_.read()) << "it polls again";
  ::kill(process_, SIGTERM);
  const int status = end();
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_NE(log().find("saying goodbye\n"), std::string::npos) << log();
}

TEST_F(HostileTest, NoDescriptorIsLeftOpenByWhatGoesWrong) {
  start_python(
      "import os\ndef handler(e, c):\n  if e == 'exit': os._exit(3)\n  if e == 'close': os.closerange(3, 4096)\n"
      "  if e == 'flood':\n    for i in range(2000): print('x' * 1000)\n  return 1\n");
  const auto open_descriptors = [&] {
    const std::filesystem::directory_iterator open("/proc/" + std::to_string(process_) + "/fd");
    return std::distance(open, std::filesystem::directory_iterator());
  };
  invoke("1");
  const auto before = open_descriptors();
  for (const char* event : {"\"exit\"", "\"close\"", "\"flood\"", "\"exit\"", "\"close\"", "1"}) invoke(event);
  EXPECT_EQ(invoke("1").body, "1");
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(HostileTest, WrongSettingsAreRefused) {
  write("app.py", "def handler(e, c): return 1\n");
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"OGNI_CHILDREN", "eat"}, {"OGNI_PREFORK", "-1"}}) {
    variables_[name] = value;
    start("app.handler");
    int status = 0;
    EXPECT_NE(init_error(status).body.find(name + " is n"), std::string::npos);
    variables_.erase(name);
    server_.hang_up();
  }
}

TEST_F(HostileTest, BashFunctionsDoTheirWorst) {
  write("hello.sh", R"(count=0
handler() {
  count=$((count + 1))
  case $1 in
    exit) exit 7;;
    close) for fd in /proc/self/fd/*; do fd=${fd##*/}; ((fd > 2)) && eval "exec $fd>&-"; done; echo closed;;
    garbage) for fd in {3..9}; do echo garbage >&$fd; done 2> /dev/null; echo written;;
    flood) for ((i = 0; i < 3000; i++)); do printf '%01000d' 0; done;;
    child) sleep 300 & echo $!;;
    environment) for v in $(compgen -e); do unset "$v"; done; echo unset;;
    directory) cd /; echo moved;;
    kill) kill -9 $$;;
    *) echo "$count";;
  esac
})");
  start("hello.handler");
  EXPECT_TRUE(is_error(invoke("exit"))) << "an exit is no result";
  EXPECT_FALSE(is_error(invoke("1"))) << "and does not take the runtime down";
  // Whether it is answered or fails is the worker's affair; the next event is served in any case.
  for (const char* event : {"close", "garbage", "flood", "environment", "directory", "kill"}) {
    const Request answer = invoke(event);
    EXPECT_NE(answer.line().find("POST"), std::string::npos) << event << answer.body;
    const Request next = invoke("1");
    EXPECT_FALSE(is_error(next)) << event << next.body;
  }
  const Request child = invoke("child");
  if (!is_error(child)) process_of(child.body);
  EXPECT_FALSE(is_error(invoke("1")));
}

}  // namespace
}  // namespace ogni::bootstrap
