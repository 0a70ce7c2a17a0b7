// The real program with the real Python, or a worker in bash, against a platform that the test plays.
#include "bootstrap/bootstrap_fixture.h"

namespace ogni::bootstrap {
namespace {

using runtime::TestServer;
using Request = TestServer::Request;

constexpr const char* kPython = "/usr/bin/python3";

class BootstrapTest : public BootstrapFixture {
 protected:
  void SetUp() override {
    BootstrapFixture::SetUp();
    variables_["OGNI_INTERPRETER"] = kPython;
  }
  // One handler in app.py.
  void start_python(const std::string& source) {
    write("app.py", source);
    start("app.handler");
  }
};

TEST_F(BootstrapTest, ServesAPythonHandlerAndKeepsItsState) {
  start_python("count = 0\ndef handler(event, context):\n  global count\n  count += 1\n  return [event, count, 'ä']\n");
  const Request first = invoke("{\"name\": \"W\\u00f6rld\"}");
  EXPECT_EQ(first.line(), "POST /2018-06-01/runtime/invocation/id-1/response HTTP/1.1");
  EXPECT_EQ(first.field("Content-Type"), "application/json");
  EXPECT_TRUE(first.body == "[{\"name\": \"W\\u00f6rld\"}, 1, \"\\u00e4\"]" ||
              first.body == "[{\"name\": \"Wörld\"}, 1, \"ä\"]")
      << first.body;
  EXPECT_EQ(invoke("null").body.substr(0, 9), "[null, 2,");
}

TEST_F(BootstrapTest, GivesTheContextOfAws) {
  start_python(R"(
import os
def handler(event, context):
    c = context
    return [c.aws_request_id, c.function_name, c.function_version, c.invoked_function_arn, c.memory_limit_in_mb,
            c.log_group_name, c.log_stream_name, 1000 < c.get_remaining_time_in_millis() <= 60000, c.tenant_id,
            c.client_context.custom, c.client_context.client.app_title, c.client_context.env,
            c.identity.cognito_identity_id, c.identity.cognito_identity_pool_id, os.environ['_X_AMZN_TRACE_ID'],
            [name for name in os.environ if name.startswith('OGNI_')]]
)");
  EXPECT_EQ(invoke("{}",
                   "Lambda-Runtime-Invoked-Function-Arn: arn:f\r\nLambda-Runtime-Aws-Tenant-Id: t\r\n"
                   "Lambda-Runtime-Trace-Id: Root=1\r\n"
                   "Lambda-Runtime-Client-Context: {\"custom\":{\"a\":1},\"client\":{\"app_title\":\"T\"}}\r\n"
                   "Lambda-Runtime-Cognito-Identity: {\"cognitoIdentityId\":\"i\",\"cognitoIdentityPoolId\":\"p\"}\r\n")
                .body,
            R"(["id-1", "greeter", "$LATEST", "arn:f", "128", "/aws/lambda/greeter", "stream", true, "t", {"a": 1}, )"
            R"("T", null, "i", "p", "Root=1", []])");
  const Request bad = invoke("{}", "Lambda-Runtime-Client-Context: {\r\n");
  EXPECT_TRUE(is_error(bad));
  EXPECT_NE(bad.body.find("Runtime.LambdaContextUnmarshalError"), std::string::npos);
}

TEST_F(BootstrapTest, AWrapperIsGivenTheCommandLine) {
  write_program("wrapper",
                "#!/bin/bash\nexport WRAPPED=yes\nargs=(\"$@\")\n"
                "exec \"${args[@]:0:$#-1}\" -X importtime \"${args[@]: -1}\"\n");
  variables_["AWS_LAMBDA_EXEC_WRAPPER"] = directory_ / "wrapper";
  const char* source =
      "import os, sys\ndef handler(event, context): return [os.environ.get('WRAPPED'), sys._xoptions]\n";
  start_python(source);
  EXPECT_EQ(invoke("{}").body, "[null, {}]") << "not where the runtime is none of AWS's";
  kill_program();
  variables_["AWS_EXECUTION_ENV"] = "AWS_Lambda_python3";
  start("app.handler");
  EXPECT_EQ(invoke("{}").body, "[\"yes\", {\"importtime\": true}]");
  EXPECT_EQ(invoke("{}").body, "[\"yes\", {\"importtime\": true}]");
}

TEST_F(BootstrapTest, AWrapperThatCannotBeExecutedIsTheStatusOfAShell) {
  variables_["AWS_EXECUTION_ENV"] = "AWS_Lambda_python3.11";
  write("wrapper", "#!/bin/sh\nexec \"$@\"\n");
  for (const auto& [name, status] : {std::pair("missing", 127), std::pair("wrapper", 126)}) {
    variables_["AWS_LAMBDA_EXEC_WRAPPER"] = directory_ / name;
    start_python("def handler(event, context): return 1\n");
    const int wait_status = end();
    EXPECT_TRUE(WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == status) << name << ": " << wait_status;
  }
}

TEST_F(BootstrapTest, RemovesTheTraceIdWhereThereIsNone) {
  start_python("import os\ndef handler(e, c): return os.environ.get('_X_AMZN_TRACE_ID')\n");
  EXPECT_EQ(invoke("{}", "Lambda-Runtime-Trace-Id: Root=1\r\n").body, "\"Root=1\"");
  EXPECT_EQ(invoke("{}").body, "null");
}

TEST_F(BootstrapTest, ReportsExceptionsWithTheirStack) {
  start_python("def inner():\n  raise ValueError('bad \"x\"')\ndef handler(event, context):\n  inner()\n");
  const Request error = invoke("{}");
  EXPECT_TRUE(is_error(error));
  const std::string file = directory_ / "app.py";
  EXPECT_EQ(error.body,
            R"({"errorMessage": "bad \"x\"", "errorType": "ValueError", "requestId": "id-1", "stackTrace": [)"
            R"("  File \")" +
                file + R"(\", line 4, in handler\n    inner()\n", "  File \")" + file +
                R"(\", line 2, in inner\n    raise ValueError('bad \"x\"')\n"]})");
  EXPECT_NE(log().find("[ERROR] ValueError: bad \"x\"\nTraceback (most recent call last):\n"), std::string::npos);
  EXPECT_TRUE(is_error(invoke("{}"))) << "the runtime goes on";
}

TEST_F(BootstrapTest, TellsXrayTheCauseOfATracedFailure) {
  write("top.py", "raise KeyError('at import')\n");
  start_python("def handler(event, context):\n  raise ValueError('bad')\n");
  const auto cause = [](const Request& error) { return error.field("Lambda-Runtime-Function-XRay-Error-Cause"); };
  const std::string traced = cause(invoke("{}", "Lambda-Runtime-Trace-Id: Root=1-a;Parent=b;Sampled=1\r\n"));
  const std::string expected = R"({"exceptions":[{"message":"bad","type":"ValueError","stack":[{"label":"  File \")" +
                               (directory_ / "app.py").string() + R"(\", line 2, in handler\n    raise)";
  EXPECT_TRUE(traced.starts_with(expected)) << traced;
  EXPECT_EQ(cause(invoke("{}", "Lambda-Runtime-Trace-Id: Root=1-a;Parent=b;Sampled=0\r\n")), "");
  kill_program();
  start("top.handler");
  int status = 0;
  const std::string at_start = cause(init_error(status));
  EXPECT_TRUE(at_start.starts_with(R"({"exceptions":[{"message":"'at import'","type":"KeyError","stack":[)"))
      << at_start;
}

TEST_F(BootstrapTest, EncodesResultsAsAwsDoes) {
  start_python(R"(
import decimal
def handler(event, context):
    return {'decimal': {'d': decimal.Decimal('1.10'), 'e': decimal.Decimal('1E+2'), 's': 'decimal:0"1'},
            'bytes': b'\xff\x00', 'nested bytes': [b'abc'], 'set': {1}, 'none': None,
            'surrogate': '\ud800'}[event]
)");
  EXPECT_EQ(invoke("\"decimal\"").body, R"({"d": 1.10, "e": 1E+2, "s": "decimal:0\"1"})");
  const Request bytes = invoke("\"bytes\"");
  EXPECT_EQ(bytes.body, std::string("\xff\0", 2));
  EXPECT_EQ(bytes.field("Content-Type"), "application/unknown");
  EXPECT_EQ(invoke("\"nested bytes\"").body, "[\"abc\"]");
  EXPECT_EQ(invoke("\"none\"").body, "null");
  const Request set = invoke("\"set\"");
  EXPECT_TRUE(is_error(set));
  EXPECT_EQ(set.body, R"({"errorMessage": "Unable to marshal response: Object of type set is not JSON serializable", )"
                      R"("errorType": "Runtime.MarshalError", "requestId": "id-5", "stackTrace": []})");
  invoke("\"surrogate\"");
  EXPECT_NE(invoke("").body.find("Runtime.UnmarshalError"), std::string::npos);
  EXPECT_NE(invoke("{").body.find("Unable to unmarshal input: "), std::string::npos);
}

TEST_F(BootstrapTest, CarriesLargeAndStrangePayloads) {
  start_python("def handler(event, context): return event\n");
  const std::string large = "\"" + std::string(6 * 1024 * 1024, 'x') + "\"";
  EXPECT_TRUE(invoke(large).body == large);
  EXPECT_EQ(invoke("\"result 0 2\\n{}\"").body, "\"result 0 2\\n{}\"");
  EXPECT_TRUE(invoke(large).body == large);
}

struct BadHandler {
  const char* handler;
  const char* expected;
};

TEST_F(BootstrapTest, ReportsHandlersThatCannotBeLoaded) {
  write("app.py", "import this_is_not_here\n");
  write("syntax.py", "x = = 1\n");
  write("top.py", "raise KeyError('at import')\n");
  write("fine.py", "");
  const BadHandler cases[] = {
      {"app.handler", R"("Unable to import module 'app': No module named 'this_is_not_here'", "errorType": )"
                      R"("Runtime.ImportModuleError")"},
      {"absent.handler", R"("Unable to import module 'absent': No module named 'absent'")"},
      {"syntax.handler", R"x("Syntax error in module 'syntax': invalid syntax (syntax.py, line 1)", "errorType": )x"
                         R"("Runtime.UserCodeSyntaxError")"},
      {"fine.handler", R"("Handler 'handler' missing on module 'fine'", "errorType": "Runtime.HandlerNotFound")"},
      {"fine", R"x("Bad handler 'fine': not enough values to unpack (expected 2, got 1)", "errorType": )x"
               R"("Runtime.MalformedHandlerName")"},
      {"sys.exit", R"("Cannot use built-in module sys as a handler module")"},
      {"top.handler", R"("errorType": "KeyError")"},
      {"", R"("Runtime.MalformedHandlerName")"},
      {"$(touch x);`id`.h", R"("Runtime.ImportModuleError")"},
  };
  for (const BadHandler& bad : cases) {
    start(bad.handler);
    int status = 0;
    const Request report = init_error(status);
    EXPECT_EQ(report.line(), "POST /2018-06-01/runtime/init/error HTTP/1.1") << bad.handler << report.body;
    EXPECT_NE(report.body.find(bad.expected), std::string::npos) << report.body;
    EXPECT_EQ(WEXITSTATUS(status), 1);
    server_.hang_up();
  }
}

TEST_F(BootstrapTest, FindsHandlersInFoldersAndPackagesInLayers) {
  write("a/b/deep.py", "import extra\ndef handler(event, context): return extra.name\n");
  write("layers/python/extra.py", "name = 'from a layer'\n");
  variables_["OGNI_OPT"] = directory_ / "layers";
  start("a/b/deep.handler");
  EXPECT_EQ(invoke("{}").body, "\"from a layer\"");
}

TEST_F(BootstrapTest, EndsLikeAWorkerThatEndsAtInitialisation) {
  write("app.py", "import sys; sys.exit(7)\n");
  start("app.handler");
  const int status = end();
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 7);

  write("app.py", "import os; os.kill(os.getpid(), 15)\n");
  start("app.handler");
  const int killed = end();
  EXPECT_TRUE(WIFSIGNALED(killed));
  EXPECT_EQ(WTERMSIG(killed), 15);
}

TEST_F(BootstrapTest, SurvivesAHostileHandler) {
  start_python(R"(
import os, sys
state = 0
def handler(event, context):
    global state
    state += 1
    if event == 'exit': sys.exit(3)
    if event == 'exit 0': sys.exit()
    if event == 'kill': os.kill(os.getpid(), 9)
    if event == 'close': os.closerange(3, 4096)
    if event == 'garbage':
        for descriptor in range(3, 1024):
            try: os.write(descriptor, b'garbage\n')
            except OSError: pass
    if event == 'close low': os.closerange(3, 800)
    if event == 'child':
        if os.fork() == 0:
            import time
            time.sleep(300)
    if event == 'child and exit':
        if os.fork() == 0:
            import time
            time.sleep(300)
        os._exit(4)
    if event == 'streams':
        sys.stdout.close()
        sys.stderr = None
    if event == 'environment': os.environ.clear()
    if event == 'directory': os.chdir('/')
    return state
)");
  const auto exited = [](int id, const std::string& how) {
    return R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-)" + std::to_string(id) +
           " Error: Runtime exited " + how + "\"}";
  };
  EXPECT_EQ(invoke("\"exit\"").body, exited(1, "with error: exit status 3"));
  EXPECT_EQ(invoke("1").body, "1") << "a fresh worker";
  EXPECT_EQ(invoke("\"exit 0\"").body, exited(3, "without providing a reason"));
  EXPECT_EQ(invoke("\"kill\"").body, exited(4, "with error: signal: killed"));
  EXPECT_TRUE(is_error(invoke("\"close\"")));
  EXPECT_TRUE(is_error(invoke("\"garbage\"")));
  EXPECT_EQ(invoke("\"close low\"").body, "1");
  EXPECT_EQ(invoke("\"child\"").body, "2");
  EXPECT_EQ(invoke("\"child and exit\"").body, exited(9, "with error: exit status 4"))
      << "though the child holds the descriptors";
  EXPECT_EQ(invoke("\"environment\"").body, "1");
  EXPECT_EQ(invoke("\"directory\"").body, "2");
  EXPECT_EQ(invoke("\"streams\"").body, "3");
  EXPECT_EQ(invoke("1").body, "4");
}

TEST_F(BootstrapTest, LogsLinesAndLoggingAsAwsDoes) {
  start_python(
      "import logging, sys\nlog = logging.getLogger()\nlog.setLevel('INFO')\n"
      "def handler(event, context):\n  print('printed')\n  print('error', file=sys.stderr)\n  log.info('logged')\n"
      "  sys.stdout.write('no newline')\n  return 1\n");
  EXPECT_EQ(invoke("{}").body, "1");
  const std::string text = log();
  EXPECT_NE(text.find("printed\nerror\n[INFO]\t20"), std::string::npos) << text;
  EXPECT_NE(text.find("Z\tid-1\tlogged\n"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with("no newline")) << text;
}

TEST_F(BootstrapTest, SaysWhatItLookedForWhenThereIsNoWorker) {
  variables_.erase("OGNI_INTERPRETER");
  start("hello.handler");
  int status = 0;
  const Request report = init_error(status);
  EXPECT_NE(report.body.find("there is no " + (directory_ / "hello.py").string()), std::string::npos) << report.body;
  EXPECT_EQ(WEXITSTATUS(status), 1);

  server_.hang_up();
  variables_["OGNI_INTERPRETER"] = "/usr/bin/no-such-python";
  start("hello.handler");
  EXPECT_NE(init_error(status).body.find("no worker"), std::string::npos);
}

TEST_F(BootstrapTest, FindsPythonByTheHandlersFile) {
  variables_.erase("OGNI_INTERPRETER");
  start_python("def handler(event, context): return 'found'\n");
  EXPECT_EQ(invoke("{}").body, "\"found\"");
}

// The protocol's own page promises that a worker takes this little.
class OwnWorker : public BootstrapTest {
 protected:
  void start_worker(const std::string& loop) {
    write("worker", "#!/bin/bash\nLC_ALL=C\n" + loop);
    std::filesystem::permissions(directory_ / "worker", std::filesystem::perms::owner_all);
    variables_.erase("OGNI_INTERPRETER");
    variables_["OGNI_WORKER"] = directory_ / "worker";
    start("hello.handler");
  }
  static constexpr const char* kRead =
      "echo 'ready 0 0' >&4\n"
      "while read -r kind head_bytes body_bytes <&3; do\n"
      "  IFS= read -r -N \"$head_bytes\" head <&3\n"
      "  event=; ((body_bytes == 0)) || IFS= read -r -N \"$body_bytes\" event <&3\n";
};

TEST_F(OwnWorker, AnswersInAFewLines) {
  start_worker(std::string(kRead) +
               "  if [[ $event == fail ]]; then printf 'error 25 17\\ntype=Bad\\nmessage_bytes=3\\nno\\nline 1\\nline "
               "2\\n' >&4\n"
               "  else printf 'result 0 %d\\n%s' ${#event} \"$event\" >&4; fi\ndone\n");
  const Request echo = invoke("[1,\n2]");
  EXPECT_EQ(echo.body, "[1,\n2]");
  EXPECT_EQ(echo.field("Content-Type"), "application/json");
  EXPECT_EQ(invoke("").body, "");
  const Request error = invoke("fail");
  EXPECT_TRUE(is_error(error));
  EXPECT_EQ(error.body, R"({"errorMessage":"no\n","errorType":"Bad","stackTrace":["line 1","line 2"]})");
}

TEST_F(OwnWorker, IsReplacedWhenItLeavesTheProtocol) {
  start_worker(std::string(kRead) +
               "  case $event in\n    nonsense) echo nonsense >&4;;\n    kind) echo 'what 0 0' >&4;;\n"
               "    two) printf 'result 0 1\\n1result 0 1\\n2' | dd bs=100 iflag=fullblock status=none >&4;;\n"
               "    *) printf 'result 0 %d\\n%s' ${#event} \"$event\" >&4;;\n  esac\ndone\n");
  for (const char* event : {"nonsense", "kind", "two"}) {
    const Request error = invoke(event);
    EXPECT_TRUE(is_error(error)) << event;
    EXPECT_NE(error.body.find("Runtime.InvalidWorkerReply"), std::string::npos) << error.body;
    EXPECT_EQ(invoke("1").body, "1");
  }
}

// As when a child that the handler has forked comes back late.
TEST_F(OwnWorker, MayNotAnswerAnotherInvocation) {
  start_worker(std::string(kRead) +
               "  id=${head#*request_id=} id=${id%%$'\\n'*}\n"
               "  case $event in\n    other) printf 'result 16 1\\nrequest_id=id-x\\n1' >&4;;\n"
               "    error) printf 'error 16 1\\nrequest_id=id-x\\n1' >&4;;\n"
               "    stream) printf 'stream 0 1\\n1end 16 1\\nrequest_id=id-x\\n2' >&4;;\n"
               "    *) id=\"request_id=$id\"$'\\n'; printf 'result %d 2\\n%sok' ${#id} \"$id\" >&4;;\n  esac\ndone\n");
  EXPECT_EQ(invoke("1").body, "ok");
  for (const char* event : {"other", "error"}) {
    EXPECT_NE(invoke(event).body.find("Runtime.InvalidWorkerReply"), std::string::npos) << event;
    EXPECT_EQ(invoke("1").body, "ok");
  }
  const Request cut = invoke("stream");
  EXPECT_EQ(cut.body, "1");
  EXPECT_NE(cut.trailers.find("Error-Type: Runtime.InvalidWorkerReply\r\n"), std::string::npos) << cut.trailers;
  EXPECT_EQ(invoke("1").body, "ok");
}

TEST_F(OwnWorker, EndsAfterAStreamWhereItSaysSo) {
  start_worker(std::string(kRead) +
               "  if [[ $event == fail ]]; then\n"
               "    printf 'stream 0 1\\n1error 18 4\\ntype=Bad\\nends=yes\\nlate' >&4\n    read -r next <&3; exit 7\n"
               "  fi\n  printf 'result 0 2\\nok' >&4\ndone\n");
  const Request cut = invoke("fail");
  EXPECT_EQ(cut.body, "1");
  EXPECT_NE(cut.trailers.find("Error-Type: Bad\r\n"), std::string::npos) << cut.trailers;
  EXPECT_EQ(invoke("1").body, "ok") << "from another worker";
}

TEST_F(OwnWorker, ThatCannotLoadAgainIsReportedWithTheRequest) {
  start_worker("[[ -e " + (directory_ / "again").string() + " ]] && exit 5\n: > " + (directory_ / "again").string() +
               "\n" + kRead + "  exit 6\ndone\n");
  EXPECT_NE(invoke("1").body.find("RequestId: id-1 Error: Runtime exited with error: exit status 6"),
            std::string::npos);
  const Request failed = invoke("1");
  EXPECT_NE(failed.body.find("RequestId: id-2 Error: Runtime exited with error: exit status 5"), std::string::npos)
      << failed.body;
}

// Every attempt meets a worker that is ready and takes no event, so that none is delivered.
TEST_F(OwnWorker, ThatTakesNoEventIsReportedWithHowItEnded) {
  start_worker("exec 3<&-\necho 'ready 0 0' >&4\nexit 5\n");
  const Request failed = invoke("1");
  EXPECT_TRUE(is_error(failed));
  EXPECT_NE(failed.body.find("RequestId: id-1 Error: Runtime exited with error: exit status 5"), std::string::npos)
      << failed.body;
}

// The pipe holds a part of the event, so that it is on its way when the worker ends or answers.
TEST_F(OwnWorker, ThatDoesNotReadALargeEventIsReportedWithWhatItDid) {
  const std::string large(4 * 1024 * 1024, 'x');
  start_worker(
      "echo 'ready 0 0' >&4\nwhile read -r kind head_bytes body_bytes <&3; do\n"
      "  IFS= read -r -N \"$head_bytes\" head <&3\n  IFS= read -r -N 8 begin <&3\n"
      "  case $begin in\n    xx*) exit 7;;\n    yy*) echo 'result 0 0' >&4; exec sleep 1000;;\n"
      "    *) printf 'result 0 2\\nok' >&4;;\n  esac\ndone\n");
  EXPECT_NE(invoke(large).body.find("Runtime exited with error: exit status 7"), std::string::npos);
  EXPECT_EQ(invoke("12345678").body, "ok");
  EXPECT_NE(invoke(std::string(large.size(), 'y')).body.find("Runtime.InvalidWorkerReply"), std::string::npos);
  EXPECT_EQ(invoke("12345678").body, "ok");
}

// It is used without forking, and replaced where it is of no more use.
TEST_F(OwnWorker, ThatCannotForkAfterAllServes) {
  variables_["OGNI_PREFORK"] = "1";
  for (const char* reply : {"echo 'no 0 0'", "echo nonsense", "printf 'forked 10 0\\nprocess=1\\n'",
                            "printf 'forked %d 0\\nprocess=%s\\n' $((9 + ${#BASHPID})) $BASHPID"}) {
    start_worker(
        "printf 'ready 10 0\\nforks=yes\\n' >&4\nwhile read -r kind head_bytes body_bytes <&3; do\n"
        "  IFS= read -r -N \"$head_bytes\" head <&3\n"
        "  event=; ((body_bytes == 0)) || IFS= read -r -N \"$body_bytes\" event <&3\n"
        "  if [[ $kind == fork ]]; then " +
        std::string(reply) + " >&4\n  else printf 'result 0 %d\\n%s' ${#event} \"$event\" >&4; fi\ndone\n");
    for (const char* event : {"1", "2", "3"}) EXPECT_EQ(invoke(event).body, event) << reply;
    kill_program();
  }
}

TEST_F(OwnWorker, StreamsAReply) {
  start_worker(std::string(kRead) +
               "  printf 'stream 24 2\\ncontent_type=text/plain\\nabchunk 0 3\\ncde' >&4\n"
               "  case $event in\n    error) printf 'error 9 4\\ntype=Bad\\nlate' >&4;;\n    die) exit 7;;\n"
               "    garbage) echo nonsense >&4;;\n    result) echo 'result 0 0' >&4;;\n"
               "    *) printf 'chunk 0 0\\nend 0 1\\nf' >&4;;\n  esac\ndone\n");
  const Request whole = invoke("1");
  EXPECT_EQ(whole.body, "abcdef");
  EXPECT_EQ(whole.field("Content-Type"), "text/plain");
  EXPECT_EQ(whole.field("Lambda-Runtime-Function-Response-Mode"), "streaming");
  EXPECT_EQ(whole.trailers, "");
  const auto broken_off = [&](const char* event) {
    const Request answer = invoke(event);
    EXPECT_EQ(answer.body, "abcde") << event;
    return answer.trailers;
  };
  EXPECT_NE(broken_off("error").find("Lambda-Runtime-Function-Error-Type: Bad\r\n"), std::string::npos);
  EXPECT_NE(broken_off("die").find("Error-Type: Runtime.ExitError\r\n"), std::string::npos);
  EXPECT_NE(broken_off("garbage").find("Error-Type: Runtime.InvalidWorkerReply\r\n"), std::string::npos);
  EXPECT_NE(broken_off("result").find("Error-Type: Runtime.InvalidWorkerReply\r\n"), std::string::npos);
  EXPECT_EQ(invoke("1").body, "abcdef");
}

// The platform takes no longer trailers.
TEST_F(OwnWorker, ErrorsBehindAPartOfAStreamAreCut) {
  const std::string message(5000, 'm');
  const std::string made = R"({"errorType":"Long","errorMessage":")" + message + R"(","stackTrace":["f"]})";
  const std::string fields = "type=Bad\nmessage_bytes=5000\n";
  const std::string made_fields = "type=Bad\ncontent_type=application/json\n";
  const auto error = [](const std::string& head, const std::string& body) {
    return "printf '%s' $'error " + std::to_string(head.size()) + " " + std::to_string(body.size()) + "\\n'" + "'" +
           head + body + "' >&4";
  };
  start_worker(std::string(kRead) + "  printf 'stream 0 1\\nx' >&4\n  if [[ $event == made ]]; then " +
               error(made_fields, made) + "\n  else " + error(fields, message + std::string(5000, 'f')) +
               "\n  fi\ndone\n");
  for (const char* event : {"plain", "made"}) {
    const Request cut = invoke(event);
    EXPECT_EQ(cut.body, "x") << event;
    EXPECT_EQ(cut.trailer("Lambda-Runtime-Function-Error-Type"), "Bad") << event;
    const std::string body = cut.trailer("Lambda-Runtime-Function-Error-Body");
    EXPECT_GT(body.size(), 3000U) << event;
    EXPECT_LT(body.size(), 4000U) << event;
    EXPECT_TRUE(body.starts_with("eyJlcnJvck1lc3NhZ2UiOiJtbW1t")) << event << ": " << body;
  }
}

TEST_F(OwnWorker, FailsPlainlyBeforeTheFirstByteOfAStream) {
  start_worker(std::string(kRead) + "  printf 'stream 0 0\\nerror 9 4\\ntype=Bad\\nlate' >&4\ndone\n");
  const Request error = invoke("1");
  EXPECT_TRUE(is_error(error));
  EXPECT_EQ(error.body, R"({"errorMessage":"late","errorType":"Bad","stackTrace":[]})");
}

TEST_F(OwnWorker, ThatCannotStartIsAFailedInitialisation) {
  variables_["OGNI_WORKER"] = directory_ / "absent";
  start("hello.handler");
  int status = 0;
  EXPECT_NE(init_error(status).body.find("cannot start"), std::string::npos);
}

}  // namespace
}  // namespace ogni::bootstrap
