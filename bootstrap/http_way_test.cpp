// The http way: the real bootstrap, real web servers (Python's), a platform that the test plays.
#include "bootstrap/bootstrap_fixture.h"
#include "bootstrap/http_event.h"
#include "bootstrap/json.h"
#include "bootstrap/text.h"

namespace ogni::bootstrap {
namespace {

using Request = runtime::TestServer::Request;

// Answers with what it was asked, and obeys a few paths.
constexpr const char* kServer = R"(#!/usr/bin/python3
import http.server, json, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *arguments): pass
    def answer(self):
        if int(self.headers.get('content-length', 0)) > 10_000_000: os._exit(6)
        body = self.rfile.read(int(self.headers.get('content-length', 0)))
        path = self.path.split('?')[0]
        if path == '/exit': os._exit(3)
        if path == '/close': self.close_connection = True; return
        if path == '/garbage': self.wfile.write(b'nonsense\r\n\r\n'); self.close_connection = True; return
        if path == '/stream':
            self.send_response(201)
            self.send_header('Transfer-Encoding', 'chunked')
            self.send_header('Set-Cookie', 'a=1'); self.send_header('Set-Cookie', 'b=2')
            self.end_headers()
            for piece in (b'one', b'two'):
                self.wfile.write(b'%x\r\n%s\r\n' % (len(piece), piece)); self.wfile.flush()
            if 'die' in self.path: os._exit(5)
            self.wfile.write(b'0\r\n\r\n')
            return
        if path == '/half':
            self.send_response(200); self.send_header('Content-Length', '100'); self.end_headers()
            self.wfile.write(b'half'); self.close_connection = True
            return
        if path == '/tail':  # whose end is that of the connection
            self.send_response(200)
            self.send_header('Content-Type', 'text/plain')
            self.end_headers()
            self.wfile.write(b'half'); self.wfile.flush()
            self.close_connection = True
            if 'die' in self.path: os._exit(5)
            if 'kill' in self.path: os.kill(os.getpid(), 9)
            if 'leave' in self.path: os._exit(0)
            return
        if path == '/echo':
            result, kind = body, self.headers.get('content-type', 'text/plain')
        elif path == '/gzip':
            result, kind = b'\x1f\x8b\x00\xff', 'text/plain'
        else:
            result = json.dumps({'method': self.command, 'path': self.path, 'headers': self.headers.items(),
                'body': body.decode('latin-1'), 'pid': os.getpid()}).encode()
            kind = 'application/json'
        self.send_response(418 if path == '/teapot' else 500 if path == '/events' and body == b'"fail"' else 200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(result)))
        if path == '/gzip': self.send_header('Content-Encoding', 'gzip')
        self.send_header('Set-Cookie', 'a=1'); self.send_header('Set-Cookie', 'b=2; Path=/')
        self.send_header('X-Two', '1'); self.send_header('x-two', '2')
        self.send_header('Keep-Alive', 'timeout=5'); self.send_header('Connection', 'keep-alive')
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(result)
    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = answer
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
)";

std::string free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  ::bind(socket, reinterpret_cast<sockaddr*>(&address), bytes);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &bytes);
  ::close(socket);
  return std::to_string(ntohs(address.sin_port));
}

std::string v2(const std::string& method, const std::string& path, const std::string& more = "") {
  return R"({"version":"2.0","rawPath":")" + path + R"(","requestContext":{"http":{"method":")" + method + R"("}})" +
         more + "}";
}

class HttpTest : public BootstrapFixture {
 protected:
  void SetUp() override {
    BootstrapFixture::SetUp();
    variables_["OGNI_HTTP_COMMAND"] = "server --flag";
    variables_["OGNI_HTTP_PORT"] = free_port();
  }
  void start_server() {
    write_program("server", kServer);
    start("anything");
  }
  // What the server says it was asked.
  std::string asked(const std::string& event, std::string_view fields = {}) {
    last_ = invoke(event, fields);
    return Json::parse(last_.body)["body"].text();
  }
  Json reply() const { return Json::parse(last_.body); }

  Request last_;
};

std::string field(const std::string& asked, std::string_view name) {
  std::string values;
  for (JsonItems items(Json::parse(asked)["headers"]); items.next();) {
    JsonItems pair(items.value());
    pair.next();
    const bool is_it = lower(pair.value().text()) == name;
    pair.next();
    if (is_it) values += (values.empty() ? "" : "|") + pair.value().text();
  }
  return values;
}

TEST_F(HttpTest, TurnsFormat2IntoARequest) {
  variables_["OGNI_HTTP_READY_PATH"] = "/ready";
  start_server();
  const std::string seen = asked(
      v2("POST", "/a%2Fb c/ü",
         R"(,"rawQueryString":"x=1&x=%202","cookies":["a=1","b=2"],"headers":{"x-one":"1,2","content-type":"text/x",)"
         R"("connection":"close","x-amzn-lambda-context":"spoofed","bad name":"x","content-length":"99"},)"
         R"("body":"AP8=","isBase64Encoded":true)"),
      "Lambda-Runtime-Trace-Id: Root=1\r\nLambda-Runtime-Invoked-Function-Arn: arn:f\r\n");
  const Json request = Json::parse(seen);
  EXPECT_EQ(request["method"].text(), "POST");
  EXPECT_EQ(request["path"].text(), "/a%2Fb%20c/%C3%BC?x=1&x=%202");
  EXPECT_EQ(request["body"].text(), std::string("\0ÿ", 3));
  EXPECT_EQ(field(seen, "x-one"), "1,2");
  EXPECT_EQ(field(seen, "cookie"), "a=1; b=2");
  EXPECT_EQ(field(seen, "content-length"), "2");
  EXPECT_EQ(field(seen, "connection"), "");
  EXPECT_EQ(field(seen, "x-amzn-trace-id"), "Root=1");
  EXPECT_EQ(field(seen, "x-amzn-request-context"), R"({"http":{"method":"POST"}})");
  const std::string context_text = field(seen, "x-amzn-lambda-context");
  const Json context = Json::parse(context_text);
  EXPECT_EQ(context["request_id"].text(), "id-1");
  EXPECT_EQ(context["invoked_function_arn"].text(), "arn:f");
  EXPECT_EQ(context["env_config"]["function_name"].text(), "greeter");

  EXPECT_EQ(reply()["statusCode"].raw(), "200");
  EXPECT_EQ(reply()["isBase64Encoded"].raw(), "false");
  EXPECT_EQ(reply()["headers"]["x-two"].text(), "1,2");
  EXPECT_EQ(reply()["headers"]["content-type"].text(), "application/json");
  EXPECT_FALSE(reply()["headers"]["connection"] || reply()["headers"]["keep-alive"]);
  EXPECT_FALSE(reply()["headers"]["content-length"]);
  EXPECT_EQ(reply()["cookies"].raw(), R"(["a=1","b=2; Path=/"])");
  EXPECT_EQ(last_.field("Content-Type"), "application/json");
}

TEST_F(HttpTest, DropsFieldsThatCouldPassForOthers) {
  start_server();
  const std::string seen =
      asked(v2("POST", "/",
               R"(,"headers":{"x-one":"1","X_Amzn_Request_Context":"spoofed","x-amzn_lambda-context":"spoofed",)"
               R"("X.Amzn.Trace.Id":"spoofed","content_length":"99","transfer_encoding":"chunked","a_b":"1"},)"
               R"("body":"abc")"));
  EXPECT_EQ(seen.find("spoofed"), std::string::npos) << seen;
  for (const char* name : {"content_length", "transfer_encoding", "a_b"}) EXPECT_EQ(field(seen, name), "") << name;
  EXPECT_EQ(field(seen, "x-one"), "1");
  EXPECT_EQ(field(seen, "content-length"), "3");
}

TEST_F(HttpTest, TurnsFormat1IntoARequest) {
  start_server();
  const std::string seen = asked(
      R"({"httpMethod":"GET","path":"/p q","multiValueQueryStringParameters":{"a b":["1&2","ü"],"e":[""]},)"
      R"("headers":{"x-one":"2"},"multiValueHeaders":{"x-one":["1","2"],"Host":["h"]},"requestContext":{"stage":"s"},)"
      R"("body":null})");
  EXPECT_EQ(Json::parse(seen)["path"].text(), "/p%20q?a%20b=1%262&a%20b=%C3%BC&e=");
  EXPECT_EQ(field(seen, "x-one"), "1|2");
  EXPECT_EQ(field(seen, "host"), "h");
  EXPECT_FALSE(reply()["headers"]);
  EXPECT_EQ(reply()["multiValueHeaders"]["set-cookie"].raw(), R"(["a=1","b=2; Path=/"])");
  EXPECT_EQ(reply()["multiValueHeaders"]["x-two"].raw(), R"(["1","2"])");
}

TEST_F(HttpTest, TurnsLoadBalancerEventsIntoRequests) {
  start_server();
  const std::string start = R"({"httpMethod":"GET","path":"/p","requestContext":{"elb":{"targetGroupArn":"x"}},)";
  std::string seen = asked(start + R"("queryStringParameters":{"a":"%20b"},"headers":{"x-one":"1"}})");
  EXPECT_EQ(Json::parse(seen)["path"].text(), "/p?a=%20b");
  EXPECT_EQ(reply()["statusDescription"].text(), "200 OK");
  EXPECT_EQ(reply()["headers"]["set-cookie"].text(), "b=2; Path=/");
  seen = asked(start + R"("multiValueQueryStringParameters":{"a":["1","2"]},"multiValueHeaders":{"x-one":["1","2"]}})");
  EXPECT_EQ(Json::parse(seen)["path"].text(), "/p?a=1&a=2");
  EXPECT_EQ(field(seen, "x-one"), "1|2");
  EXPECT_EQ(reply()["multiValueHeaders"]["set-cookie"].raw(), R"(["a=1","b=2; Path=/"])");
}

TEST_F(HttpTest, PostsOtherEventsToAPath) {
  start_server();
  for (const char* event : {R"({"Records":[]})", "12", "", "no json \xff"}) {
    const Request answer = invoke(event);
    const Json request = Json::parse(answer.body);
    EXPECT_EQ(request["method"].text(), "POST") << answer.body;
    EXPECT_EQ(request["path"].text(), "/events");
    EXPECT_EQ(answer.field("Content-Type"), "application/json");
  }
  const Request failed = invoke("\"fail\"");
  EXPECT_TRUE(is_error(failed));
  EXPECT_NE(failed.body.find("\"errorType\":\"HttpStatus500\""), std::string::npos) << failed.body;
}

TEST_F(HttpTest, CarriesLargeBinaryAndCompressedBodies) {
  start_server();
  std::string bytes(4 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  std::string event = v2("PUT", "/echo", R"(,"isBase64Encoded":true,"body":")");
  event.resize(event.size() - 1);
  append_base64(event, bytes);
  last_ = invoke(event + "\"}");
  EXPECT_EQ(reply()["isBase64Encoded"].raw(), "true");
  std::string back;
  ASSERT_TRUE(decode_base64(reply()["body"].text(), back));
  EXPECT_TRUE(back == bytes);
  last_ = invoke(v2("GET", "/gzip"));
  EXPECT_EQ(reply()["headers"]["content-encoding"].text(), "gzip");
  EXPECT_EQ(reply()["body"].text(), "H4sA/w==");
  last_ = invoke(v2("HEAD", "/teapot"));
  EXPECT_EQ(reply()["statusCode"].raw(), "418");
  EXPECT_EQ(reply()["body"].text(), "");
  const std::string text = "result 0 2\\n{} ü ☃";
  last_ = invoke(v2("POST", "/echo", R"(,"body":")" + text + "\""));
  EXPECT_EQ(reply()["body"].text(), "result 0 2\n{} ü ☃");
}

// As a pipe does: it reads on when what it has answered is taken. The request is larger than all buffers between.
constexpr const char* kPipeServer = R"(#!/usr/bin/python3
import os, socket
listener = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
while True:
    connection, _ = listener.accept()
    stream = connection.makefile('rb')
    while True:
        line, left = stream.readline(), 0
        while line.strip():
            if line.lower().startswith(b'content-length:'): left = int(line.split(b':')[1])
            line = stream.readline()
        if not line: break
        length = min(left, 3) if b'short' in stream.peek(5)[:5] else left
        head = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n' % length
        connection.sendall(head + b'yes' if length < left else head)
        if length < left: break
        while left > 0:
            piece = stream.read1(min(left, 65536))
            connection.sendall(piece)
            left -= len(piece)
    stream.close()
    connection.close()
)";

TEST_F(HttpTest, SendsTheRestOfARequestThatIsAnsweredMeanwhile) {
  for (const char* streams : {"", "1"}) {
    variables_["OGNI_HTTP_STREAM"] = streams;
    write_program("server", kPipeServer);
    start("anything");
    EXPECT_EQ(invoke("small").body, "small");
    std::string large(20 * 1024 * 1024, '\0');
    for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>('a' + (i + i / 251) % 26);
    EXPECT_TRUE(invoke(large).body == large) << log();
    EXPECT_EQ(invoke("short" + large).body.substr(0, 300), "yes")
        << "the answer is complete, and the rest of the request in vain";
    EXPECT_EQ(invoke("small").body, "small");
    kill_program();
    variables_["OGNI_HTTP_PORT"] = free_port();
  }
}

TEST_F(HttpTest, StartsAServerAgainThatHasDied) {
  start_server();
  const std::string first = Json::parse(asked(v2("GET", "/")))["pid"].text();
  const Request died = invoke(v2("GET", "/exit"));
  EXPECT_TRUE(is_error(died));
  EXPECT_NE(died.body.find("Runtime exited with error: exit status 3"), std::string::npos) << died.body;
  const std::string second = Json::parse(asked(v2("GET", "/")))["pid"].text();
  EXPECT_NE(first, second);
  for (int i = 0; i < 3; ++i) {
    const Request unread = invoke(std::string(20'000'000, '1'));
    EXPECT_NE(unread.body.find("Runtime exited with error: exit status 6"), std::string::npos)
        << "what it had not read resets the connection: " << unread.body;
  }
  const std::string third = Json::parse(asked(v2("GET", "/")))["pid"].text();
  EXPECT_TRUE(is_error(invoke(v2("POST", "/close"))));
  EXPECT_NE(invoke(v2("GET", "/garbage")).body.find("Runtime.ServerError"), std::string::npos);
  EXPECT_EQ(Json::parse(asked(v2("GET", "/")))["pid"].text(), third);
}

// Only the server's end tells such an answer from a whole one.
TEST_F(HttpTest, AnAnswerWithoutALengthIsCutOffWhereTheServerDies) {
  for (const char* streams : {"", "1"}) {
    variables_["OGNI_HTTP_STREAM"] = streams;
    start_server();
    const auto tail = [this](const std::string& how) {
      return invoke(v2("GET", "/tail", R"(,"rawQueryString":")" + how + "\""));
    };
    for (const auto& [how, end] : {std::pair("die", "exit status 5"), std::pair("kill", "signal: killed")}) {
      const Request cut = tail(how);
      if (*streams == '\0') {
        EXPECT_TRUE(is_error(cut)) << cut.body;
        EXPECT_NE(cut.body.find(end), std::string::npos) << cut.body;
      } else {
        EXPECT_TRUE(cut.body.ends_with("half")) << cut.body;
        EXPECT_EQ(cut.trailer("Lambda-Runtime-Function-Error-Type"), "Runtime.ExitError") << how;
      }
    }
    for (const char* how : {"", "leave", ""}) {
      const Request whole = tail(how);
      EXPECT_FALSE(is_error(whole)) << how;
      EXPECT_NE(whole.body.find("half"), std::string::npos) << whole.body;
      EXPECT_EQ(whole.trailers, "") << how;
    }
    kill_program();
    variables_["OGNI_HTTP_PORT"] = free_port();
  }
}

TEST_F(HttpTest, AnAnswerThatEndsBeforeItsLengthIsAnError) {
  for (const char* streams : {"", "1"}) {
    variables_["OGNI_HTTP_STREAM"] = streams;
    start_server();
    const Request cut = invoke(v2("GET", "/half"));
    if (*streams == '\0') {
      EXPECT_TRUE(is_error(cut)) << cut.body;
      EXPECT_NE(cut.body.find("in the middle of its answer"), std::string::npos) << cut.body;
    } else {
      EXPECT_TRUE(cut.body.ends_with("half")) << cut.body;
      EXPECT_EQ(cut.trailer("Lambda-Runtime-Function-Error-Type"), "Runtime.ServerError");
    }
    EXPECT_EQ(invoke(v2("GET", "/tail")).trailers, "") << "the server goes on";
    kill_program();
    variables_["OGNI_HTTP_PORT"] = free_port();
  }
}

TEST_F(HttpTest, AServerThatCannotBeStartedAgainIsReportedWithTheRequest) {
  const auto marker = (directory_ / "again").string();
  for (const auto& [then, expected] :
       {std::pair("exit 4", "RequestId: id-2 Error: Runtime exited with error: exit status 4"),
        std::pair("exec sleep 1000", "nothing listens on 127.0.0.1:")}) {
    std::filesystem::remove(marker);
    write_program("python", kServer);
    write_program("server", "#!/bin/sh\n[ -e " + marker + " ] && " + then + "\n: > " + marker + "\nexec " +
                                (directory_ / "python").string() + "\n");
    variables_["OGNI_HTTP_READY_MS"] = "5000";
    start("anything");
    EXPECT_NE(invoke(v2("GET", "/exit")).body.find("exit status 3"), std::string::npos);
    const Request failed = invoke(v2("GET", "/"));
    EXPECT_TRUE(is_error(failed));
    EXPECT_NE(failed.body.find(expected), std::string::npos) << failed.body;
    kill_program();
    variables_["OGNI_HTTP_PORT"] = free_port();
  }
}

TEST_F(HttpTest, StreamsWithAPrelude) {
  variables_["OGNI_HTTP_STREAM"] = "1";
  start_server();
  const Request whole = invoke(v2("GET", "/stream"));
  EXPECT_EQ(whole.field("Content-Type"), "application/vnd.awslambda.http-integration-response");
  EXPECT_EQ(whole.field("Lambda-Runtime-Function-Response-Mode"), "streaming");
  const std::size_t end = whole.body.find('\0');
  ASSERT_NE(end, std::string::npos) << whole.body;
  EXPECT_EQ(whole.body.substr(end), std::string(8, '\0') + "onetwo");
  const std::string prelude_text = whole.body.substr(0, end);
  const Json prelude = Json::parse(prelude_text);
  EXPECT_EQ(prelude["statusCode"].raw(), "201");
  EXPECT_EQ(prelude["cookies"].raw(), R"(["a=1","b=2"])");
  const Request cut = invoke(v2("GET", "/stream", R"(,"rawQueryString":"die")"));
  EXPECT_TRUE(cut.body.ends_with("onetwo"));
  EXPECT_NE(cut.trailers.find("Error-Type: Runtime."), std::string::npos) << cut.trailers;
  const Request plain = invoke("{}");
  EXPECT_EQ(plain.field("Content-Type"), "application/json");
  EXPECT_EQ(plain.field("Lambda-Runtime-Function-Response-Mode"), "streaming");
  EXPECT_TRUE(is_error(invoke("\"fail\"")));
}

TEST_F(HttpTest, RefusesAServerThatIsNeverReady) {
  struct Case {
    const char* script;
    const char* expected;
  };
  variables_["OGNI_HTTP_READY_MS"] = "300";
  const Case cases[] = {
      {"#!/bin/sh\nexec sleep 1000\n", "nothing listens on 127.0.0.1:"},
      {"#!/bin/sh\n", "has ended; a server must stay in the foreground"},
      {"not a program", "Exec format error"},
  };
  for (const Case& wrong : cases) {
    write_program("server", wrong.script);
    start("x");
    int status = 0;
    const Request report = init_error(status);
    EXPECT_NE(report.body.find(wrong.expected), std::string::npos) << report.body;
    EXPECT_EQ(WEXITSTATUS(status), 1);
    server_.hang_up();
  }
  write_program("server", "#!/bin/sh\nexit 9\n");
  start("x");
  EXPECT_EQ(WEXITSTATUS(end()), 9) << "the platform reports how it ended";
}

TEST_F(HttpTest, SaysThatNothingListensBeforeTheInvocationInWhichItIsStartedTimesOut) {
  variables_["OGNI_START_LIMIT_MS"] = "600";
  write_program("server", "#!/bin/sh\nexec sleep 1000\n");
  start("x");
  int status = 0;
  const std::string body = init_error(status).body;
  EXPECT_NE(body.find("Runtime.ServerNotReady"), std::string::npos) << body;
  EXPECT_NE(body.find("nothing listens on 127.0.0.1:" + variables_["OGNI_HTTP_PORT"] + " after 0.3 s"),
            std::string::npos)
      << body;
}

TEST_F(HttpTest, IsSetUpByAFileBesideTheFunction) {
  variables_.erase("OGNI_HTTP_COMMAND");
  write("ogni.toml", "[http]\ncommand = [\"server\", \"a b\"]\nevents_path = \"/in\"\n");
  start_server();
  EXPECT_EQ(Json::parse(invoke("1").body)["path"].text(), "/in");

  kill_program();
  write("ogni.toml", "way = \"http\"\n[http]\nprot = 1\n");
  start("x");
  int status = 0;
  EXPECT_NE(init_error(status).body.find("ogni.toml, line 3: there is no setting http.prot"), std::string::npos);

  server_.hang_up();
  write("ogni.toml", "way = \"fastcgi\"\n[fastcgi]\nchildren = 4\n");
  start("x");
  EXPECT_NE(init_error(status).body.find("there is no setting fastcgi.children"), std::string::npos);
}

}  // namespace
}  // namespace ogni::bootstrap
