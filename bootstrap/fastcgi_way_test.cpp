// The fastcgi way: the real bootstrap with the real php-fpm, or with an application in Python that is handed a socket.
#include <algorithm>
#include <filesystem>

#include "bootstrap/bootstrap_fixture.h"
#include "bootstrap/json.h"
#include "bootstrap/text.h"

namespace ogni::bootstrap {
namespace {

using Request = runtime::TestServer::Request;

std::string v2(const std::string& method, const std::string& path, const std::string& more = "") {
  return R"({"version":"2.0","rawPath":")" + path + R"(","requestContext":{"http":{"method":")" + method + R"("}})" +
         more + "}";
}

class FastcgiTest : public BootstrapFixture {
 protected:
  void SetUp() override {
    BootstrapFixture::SetUp();
    variables_["TMPDIR"] = directory_;
  }
  Json reply(const std::string& event) {
    last_ = invoke(event);
    return Json::parse(last_.body);
  }
  Request last_;
};

class PhpTest : public FastcgiTest {
 protected:
  void SetUp() override {
    FastcgiTest::SetUp();
    const char* paths[] = {"/usr/sbin/php-fpm8.2", "/usr/sbin/php-fpm", "/usr/bin/php-fpm"};
    if (std::none_of(std::begin(paths), std::end(paths), [](const char* path) { return ::access(path, X_OK) == 0; })) {
      GTEST_SKIP() << "php-fpm is not installed";
    }
  }
};

constexpr const char* kScript = R"(<?php
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path == '/exit') { posix_kill(getmypid(), 9); }
if ($path == '/log') { error_log('a line for the log'); }
if ($path == '/binary') { header('Content-Type: image/png'); echo "\xff\x00\xfe"; exit; }
if ($path == '/echo') { header('Content-Type: text/plain'); echo file_get_contents('php://input'); exit; }
if ($path == '/teapot') { http_response_code(418); }
if ($path == '/events') { header('Content-Type: application/json'); echo file_get_contents('php://input'); exit; }
if ($path == '/flush') { echo 'one'; flush(); echo 'two'; exit; }
setcookie('a', '1'); setcookie('b', '2');
header('Content-Type: application/json');
echo json_encode(['method' => $_SERVER['REQUEST_METHOD'], 'uri' => $_SERVER['REQUEST_URI'], 'get' => $_GET,
  'cookie' => $_COOKIE, 'post' => $_POST, 'script' => $_SERVER['SCRIPT_NAME'], 'x' => $_SERVER['HTTP_X_ONE'] ?? null,
  'trace' => $_SERVER['_X_AMZN_TRACE_ID'], 'name' => getenv('AWS_LAMBDA_FUNCTION_NAME'), 'ip' => $_SERVER['REMOTE_ADDR'],
  'context' => json_decode($_SERVER['HTTP_X_AMZN_LAMBDA_CONTEXT'], true)['request_id'], 'https' => $_SERVER['HTTPS'] ?? '',
  'proxy' => $_SERVER['HTTP_PROXY'] ?? 'none', 'pid' => getmypid()]);
)";

TEST_F(PhpTest, ServesRequests) {
  write("public/index.php", kScript);
  start("public/index.php");
  const Json first =
      reply(v2("POST", "/a b",
               R"(,"rawQueryString":"q=1","cookies":["c=3"],"headers":{"x-one":"1","proxy":"http://evil",)"
               R"("x-forwarded-for":"9.8.7.6, 1.1.1.1","x-forwarded-proto":"https",)"
               R"("content-type":"application/x-www-form-urlencoded"},"body":"f=%C3%BC")"));
  EXPECT_EQ(first["statusCode"].raw(), "200") << last_.body << log();
  const std::string body = first["body"].text();
  const Json seen = Json::parse(body);
  EXPECT_EQ(seen["method"].text(), "POST");
  EXPECT_EQ(seen["uri"].text(), "/a%20b?q=1");
  EXPECT_EQ(seen["get"]["q"].text(), "1");
  EXPECT_EQ(seen["post"]["f"].text(), "ü");
  EXPECT_EQ(seen["cookie"]["c"].text(), "3");
  EXPECT_EQ(seen["x"].text(), "1");
  EXPECT_EQ(seen["ip"].text(), "127.0.0.1") << "no front door has said whose";
  EXPECT_EQ(seen["https"].text(), "on");
  EXPECT_EQ(seen["proxy"].text(), "none");
  EXPECT_EQ(seen["script"].text(), "/index.php");
  EXPECT_EQ(seen["name"].text(), "greeter");
  EXPECT_EQ(seen["context"].text(), "id-1");
  EXPECT_EQ(first["cookies"].raw(), R"(["a=1","b=2"])");
  EXPECT_EQ(reply(v2("GET", "/teapot"))["statusCode"].raw(), "418");
  EXPECT_EQ(reply(v2("GET", "/binary"))["body"].text(), "/wD+");
  EXPECT_EQ(invoke("{\"plain\":1}").body, "{\"plain\":1}");
  reply(v2("GET", "/log"));
  for (int i = 0; i < 1000 && log().find("a line for the log") == std::string::npos; ++i) reply(v2("GET", "/"));
  EXPECT_NE(log().find("a line for the log"), std::string::npos) << log();
}

TEST_F(PhpTest, DecodesThePathForTheApplication) {
  write("index.php", "<?php echo json_encode([$_SERVER['PATH_INFO'], $_SERVER['REQUEST_URI']]);");
  start("index.php");
  EXPECT_EQ(reply(v2("GET", "/index.php/a%20b/%41/%00/%zz/100%"))["body"].text(),
            R"(["\/a b\/A\/%00\/%zz\/100%","\/index.php\/a%20b\/%41\/%00\/%25zz\/100%25"])");
}

// What frameworks make their links from: Yii from SCRIPT_NAME, CakePHP from PHP_SELF, Symfony from both and
// REQUEST_URI.
constexpr const char* kWhere = R"(<?php echo implode(' ', [$_SERVER['SCRIPT_NAME'], $_SERVER['PHP_SELF'],
  $_SERVER['DOCUMENT_ROOT'], $_SERVER['SCRIPT_FILENAME'], $_SERVER['REQUEST_URI'], $_SERVER['PATH_INFO'] ?? '-', getcwd()]);)";

TEST_F(PhpTest, TakesTheFolderOfTheFrontControllerAsItsRoot) {
  write("public/index.php", kWhere);
  start("public/index.php");
  const std::string root = directory_ / "public";
  EXPECT_EQ(reply(v2("GET", "/articles/1", R"(,"rawQueryString":"q=1")"))["body"].text(),
            "/index.php /index.php " + root + " " + root + "/index.php /articles/1?q=1  " + root);
  EXPECT_EQ(
      reply(v2("GET", "/index.php/articles/1"))["body"].text(),
      "/index.php /index.php/articles/1 " + root + " " + root + "/index.php /index.php/articles/1 /articles/1 " + root);
}

TEST_F(PhpTest, TakesTheRootThatIsSet) {
  write("ogni.toml", "[fastcgi]\nroot = \".\"\n");
  write("public/index.php", kWhere);
  start("public/index.php");
  EXPECT_EQ(reply(v2("GET", "/a"))["body"].text().substr(0, 36), "/public/index.php /public/index.php ") << last_.body;
}

TEST_F(PhpTest, RefusesARootWithoutTheScript) {
  variables_["OGNI_FASTCGI_ROOT"] = "web";
  write("public/index.php", kWhere);
  start("public/index.php");
  int status = 0;
  EXPECT_NE(init_error(status).body.find("OGNI_FASTCGI_ROOT"), std::string::npos);
}

TEST_F(PhpTest, ServesTheFilesBesideTheFrontController) {
  write("public/index.php", "<?php http_response_code(404); echo 'controller';");
  write("public/css/style.css", "body{}");
  write("public/a b.js", "1");
  write("public/PICTURE.PNG", "\xFF\x01");
  write("public/data.json", "{}");
  write("public/.env", "SECRET");
  write("public/.git/style.css", "SECRET");
  write("public/other.php", "<?php SECRET");
  write("public/.hidden.css", "SECRET");
  write("public/notes.yaml", "SECRET");
  write("secret.txt", "SECRET");
  std::filesystem::create_symlink(directory_ / "secret.txt", directory_ / "public/inside.txt");
  std::filesystem::create_symlink("/etc/passwd", directory_ / "public/outside.txt");
  start("public/index.php");
  const auto served = [&](const std::string& method, const std::string& path) {
    const Json answer = reply(v2(method, path));
    return std::string(answer["statusCode"].raw()) + " " + answer["headers"]["content-type"].text() + " " +
           answer["body"].text();
  };
  EXPECT_EQ(served("GET", "/css/style.css"), "200 text/css body{}");
  EXPECT_EQ(served("HEAD", "/css/style.css"), "200 text/css ");
  EXPECT_EQ(served("GET", "/a%20b.js"), "200 text/javascript 1");
  EXPECT_EQ(served("GET", "/PICTURE.PNG"), "200 image/png /wE=");
  EXPECT_EQ(served("GET", "/data.json"), "200 application/json {}");
  EXPECT_EQ(served("GET", "/inside.txt"), "200 text/plain SECRET") << "a link within the package, as Laravel's storage";
  for (const char* path :
       {"/", "/css", "/css/", "/none.css", "/.env", "/.git/style.css", "/other.php", "/.hidden.css", "/notes.yaml",
        "/outside.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/css/../../secret.txt", "/css/..%2f..%2fsecret.txt",
        "/css//style.css", "/./css/style.css", "/css/style.css%00.txt", "/css/style.css/", "/index.php"}) {
    EXPECT_TRUE(served("GET", path).ends_with("controller")) << path << ": " << last_.body;
  }
  EXPECT_TRUE(served("POST", "/css/style.css").ends_with("controller"));
}

TEST_F(PhpTest, ServesNoSettingsOfThePackage) {
  write("index.php", "<?php echo 'controller';");
  write("style.css", "body{}");
  write("composer.json", "{}");
  start("index.php");
  EXPECT_EQ(reply(v2("GET", "/style.css"))["body"].text(), "body{}");
  EXPECT_EQ(reply(v2("GET", "/composer.json"))["body"].text(), "controller");
}

TEST_F(PhpTest, ServesNoFilesIfTheSettingSaysSo) {
  variables_["OGNI_FASTCGI_STATIC"] = "no";
  write("index.php", "<?php echo 'controller';");
  write("style.css", "body{}");
  start("index.php");
  EXPECT_EQ(reply(v2("GET", "/style.css"))["body"].text(), "controller");
}

TEST_F(PhpTest, StreamsFilesToo) {
  variables_["OGNI_FASTCGI_STREAM"] = "1";
  write("public/index.php", kScript);
  write("public/style.css", "body{}");
  start("public/index.php");
  const Request whole = invoke(v2("GET", "/style.css"));
  EXPECT_NE(whole.body.find("text/css"), std::string::npos) << whole.body;
  EXPECT_TRUE(whole.body.ends_with(std::string(8, '\0') + "body{}")) << whole.body;
}

TEST_F(PhpTest, KeepsSessions) {
  write("index.php",
        "<?php session_id('abc'); session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1;"
        "echo $_SESSION['n'];");
  start("index.php");
  EXPECT_EQ(reply(v2("GET", "/"))["body"].text(), "1");
  EXPECT_EQ(reply(v2("GET", "/"))["body"].text(), "2");
  EXPECT_EQ(log().find("session"), std::string::npos) << log();
}

TEST_F(PhpTest, LogsEachLineOnce) {
  write("index.php", R"(<?php
$path = $_SERVER['REQUEST_URI'];
if ($path == '/a') error_log('from error_log');
if ($path == '/b') trigger_error('from a warning', E_USER_WARNING);
if ($path == '/c') file_put_contents('php://stderr', "from stderr\n");
)");
  start("index.php");
  for (const char* path : {"/a", "/b", "/c"}) reply(v2("GET", path));
  const auto count = [&](const std::string& line) {
    const std::string text = log();
    std::size_t found = 0;
    for (std::size_t at = text.find(line); at != std::string::npos; at = text.find(line, at + 1)) ++found;
    return found;
  };
  // php-fpm itself passes them on: the last one comes last.
  for (int i = 0; i < 1000 && count("from stderr") == 0; ++i) reply(v2("GET", "/"));
  for (const char* line : {"from error_log", "from a warning", "from stderr"}) EXPECT_EQ(count(line), 1U) << log();
}

TEST_F(PhpTest, ShowsNoContextThatTheCallerHasMade) {
  write("index.php", "<?php echo json_encode($_SERVER);");
  start("index.php");
  const std::string body =
      reply(v2("GET", "/",
               R"(,"headers":{"X_Amzn_Request_Context":"spoofed","X.Amzn.Request.Context":"spoofed",)"
               R"("x-amzn_lambda_context":"spoofed","X_Amzn_Trace_Id":"spoofed","Proxy_":"spoofed"})"))["body"]
          .text();
  EXPECT_EQ(body.find("spoofed"), std::string::npos) << body;
  const Json seen = Json::parse(body);
  EXPECT_EQ(seen["HTTP_X_AMZN_REQUEST_CONTEXT"].text(), R"({"http":{"method":"GET"}})");
}

TEST_F(PhpTest, TakesTheAddressOfTheCallerFromTheFrontDoor) {
  write("index.php", "<?php echo $_SERVER['REMOTE_ADDR'] . '|' . $_SERVER['HTTP_X_FORWARDED_FOR'];");
  start("index.php");
  constexpr const char* kForged = R"(,"headers":{"x-forwarded-for":"6.6.6.6, 1.1.1.1"}})";
  const auto seen = [&](std::string event) { return reply(event + kForged)["body"].text(); };
  EXPECT_EQ(seen(R"({"rawPath":"/","requestContext":{"http":{"method":"GET","sourceIp":"9.8.7.6"}})"),
            "9.8.7.6|6.6.6.6, 1.1.1.1");
  EXPECT_EQ(seen(R"({"httpMethod":"GET","path":"/","requestContext":{"identity":{"sourceIp":"2001:db8::1"}})"),
            "2001:db8::1|6.6.6.6, 1.1.1.1");
  EXPECT_EQ(seen(R"({"httpMethod":"GET","path":"/","requestContext":{"elb":{}})"), "1.1.1.1|6.6.6.6, 1.1.1.1");
  EXPECT_EQ(reply(R"({"httpMethod":"GET","path":"/","requestContext":{"elb":{}},"multiValueHeaders":)"
                  R"({"x-forwarded-for":["6.6.6.6, 5.5.5.5","1.1.1.1"]}})")["body"]
                .text(),
            "1.1.1.1|6.6.6.6, 5.5.5.5, 1.1.1.1");
}

TEST_F(PhpTest, CarriesLargeBodiesAndSurvivesADeadChild) {
  write("index.php", kScript);
  start("index.php");
  std::string bytes(4 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + i / 251);
  std::string event = R"({"version":"2.0","rawPath":"/echo","requestContext":{"http":{"method":"PUT"}},)"
                      R"("isBase64Encoded":true,"body":")";
  append_base64(event, bytes);
  std::string back;
  ASSERT_TRUE(decode_base64(reply(event + "\"}")["body"].text(), back)) << last_.body.substr(0, 300) << log();
  EXPECT_TRUE(back == bytes);
  const Request died = invoke(v2("GET", "/exit"));
  EXPECT_TRUE(is_error(died)) << died.body;
  EXPECT_NE(died.body.find("Runtime.ServerError"), std::string::npos) << died.body;
  EXPECT_EQ(reply(v2("GET", "/"))["statusCode"].raw(), "200") << "php-fpm has started another";
}

TEST_F(PhpTest, Streams) {
  variables_["OGNI_FASTCGI_STREAM"] = "1";
  write("index.php", kScript);
  start("index.php");
  const Request whole = invoke(v2("GET", "/flush"));
  EXPECT_EQ(whole.field("Content-Type"), "application/vnd.awslambda.http-integration-response");
  EXPECT_TRUE(whole.body.ends_with(std::string(8, '\0') + "onetwo")) << whole.body;
}

TEST_F(FastcgiTest, HandsASocketToAnApplication) {
  write_program("app", R"(#!/usr/bin/python3
import os, socket, struct, sys
listener = socket.socket(fileno=0)
connection = None
def record(kind, content, padding=0): return struct.pack('!BBHHBB', 1, kind, 1, len(content), padding, 0) + content + b'p' * padding
while True:
    connection, _ = listener.accept()
    stream = connection.makefile('rb')
    while True:
        body = b''
        while True:
            head = stream.read(8)
            if len(head) < 8: break
            _, kind, _, length, padding, _ = struct.unpack('!BBHHBB', head)
            content = stream.read(length); stream.read(padding)
            if kind == 5 and not content: break
            if kind == 5: body += content
        if len(head) < 8: break
        if body == b'exit': os._exit(4)
        if body == b'nonsense': connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n'); break
        connection.sendall(record(7, b'note') + record(6, b'Content-Type: text/plain\r\n') + record(6, b'\r\n' + body[::-1], 5)
            + record(3, bytes(8)))
)");
  variables_["OGNI_FASTCGI_COMMAND"] = "app";
  start("x");
  const Request first = invoke("abc");
  EXPECT_EQ(first.body, "cba") << log();
  EXPECT_EQ(first.field("Content-Type"), "text/plain");
  EXPECT_NE(log().find("note\n"), std::string::npos);
  EXPECT_EQ(invoke(std::string(60000, 'x')).body.size(), 60000u);
  EXPECT_NE(invoke("exit").body.find("exit status 4"), std::string::npos);
  EXPECT_EQ(invoke("again").body, "niaga");
  EXPECT_NE(invoke("nonsense").body.find("is malformed"), std::string::npos);
  EXPECT_EQ(invoke("again").body, "niaga");
}

TEST_F(FastcgiTest, RefusesAWrongChoiceAtInit) {
  variables_["OGNI_WAY"] = "fastcgi";
  start("absent.php");
  int status = 0;
  EXPECT_NE(init_error(status).body.find("absent.php"), std::string::npos);
  server_.hang_up();
  variables_["OGNI_FASTCGI_ADDRESS"] = "nowhere";
  start("absent.php");
  EXPECT_NE(init_error(status).body.find("OGNI_FASTCGI_ADDRESS: nowhere is no address"), std::string::npos);
}

}  // namespace
}  // namespace ogni::bootstrap
