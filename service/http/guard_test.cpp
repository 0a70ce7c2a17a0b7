#include "service/http/guard.h"

#include <gtest/gtest.h>

namespace ogni::http {
namespace {

TEST(Guard, KnowsItsOwnHosts) {
  const Guard guard({"ogni.example"});
  for (const char* own :
       {"127.0.0.1", "127.0.0.1:4566", "127.9.8.7", "localhost", "LocalHost:80", "localhost.", "a.localhost",
        "x.lambda-url.us-east-1.localhost:4566", "[::1]", "[::1]:4566", "ogni.example", "OGNI.example:1"}) {
    EXPECT_TRUE(guard.is_own_host(own)) << own;
  }
  for (const char* foreign : {"",
                              ":80",
                              "evil.example",
                              "localhost.evil.example",
                              "127.0.0.1.evil.example",
                              "notlocalhost",
                              "10.0.0.1",
                              "0.0.0.0",
                              "[::2]",
                              "[::1",
                              "[::1]x",
                              "localhost:x",
                              "localhost:123456",
                              "localhost:",
                              "localhost:-1",
                              "localhost:8/",
                              "localhost@evil.example",
                              "2130706433",
                              "127.1",
                              "sub.ogni.example"}) {
    EXPECT_FALSE(guard.is_own_host(foreign)) << foreign;
  }
}

bool passes(std::initializer_list<std::pair<std::string_view, std::string_view>> headers) {
  Request request;
  request.set_head(Method::kPost, "/");
  for (const auto& [name, value] : headers) request.add_header(name, value);
  return !Guard().refusal(request);
}

TEST(Guard, RefusesRequestsOfWebPages) {
  EXPECT_TRUE(passes({{"Host", "localhost:4566"}}));
  EXPECT_TRUE(passes({}));
  EXPECT_TRUE(passes({{"Host", "localhost:4566"}, {"Sec-Fetch-Site", "same-origin"}}));
  EXPECT_TRUE(passes({{"Host", "localhost:4566"}, {"Sec-Fetch-Site", "none"}}));
  EXPECT_TRUE(passes({{"host", "localhost:4566"}, {"origin", "http://LOCALHOST:4566"}}));

  EXPECT_FALSE(passes({{"Host", "evil.example"}}));
  EXPECT_FALSE(passes({{"Host", "localhost"}, {"Host", "localhost"}}));
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"Origin", "null"}}));
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"Origin", ""}}));
  for (const char* scheme : {"https", "x", "chrome-extension", "file", "", "http://http", "http:"}) {
    EXPECT_FALSE(passes({{"Host", "127.0.0.1:4566"}, {"Origin", std::string(scheme) + "://127.0.0.1:4566"}})) << scheme;
  }
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"Origin", "localhost:4566"}}));
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"Origin", "http://localhost:4566/"}}));
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"Origin", "http://localhost:3000"}}));
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"Origin", "http://localhost:4566"}, {"Origin", "http://x"}}));
  EXPECT_FALSE(passes({{"Origin", "http://localhost:4566"}}));
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"sec-fetch-site", "same-site"}}));
  EXPECT_FALSE(passes({{"Host", "localhost:4566"}, {"Sec-Fetch-Site", "cross-site"}}));
}

}  // namespace
}  // namespace ogni::http
