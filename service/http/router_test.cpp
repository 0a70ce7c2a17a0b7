#include "service/http/router.h"

#include <gtest/gtest.h>

namespace ogni::http {
namespace {

class RouterTest : public ::testing::Test {
 protected:
  RouterTest() {
    add(Method::kGet, "/v/functions", "", "List");
    add(Method::kPost, "/v/functions", "", "Create");
    add(Method::kGet, "/v/functions/{Name}", "", "Get");
    add(Method::kPut, "/v/functions/{Name}/code", "", "UpdateCode");
    add(Method::kGet, "/v/layers", "", "ListLayers");
    add(Method::kGet, "/v/layers", "find=LayerVersion", "ByArn");
    add(Method::kDelete, "/v/layers/{Layer}/versions/{Version}", "", "DeleteLayer");
  }
  void add(Method method, std::string path, std::string query, std::string operation) {
    router_.add({.method = method,
                 .path = std::move(path),
                 .query = std::move(query),
                 .operation = std::move(operation),
                 .body_max = 0,
                 .handler = {}});
  }
  std::string find(Method method, std::string_view target) {
    request_.clear();
    request_.set_head(method, target);
    const Router::Match match = router_.find(request_);
    switch (match.outcome) {
      case Router::Outcome::kFound:
        return match.route->operation;
      case Router::Outcome::kUnknownPath:
        return "unknown";
      case Router::Outcome::kWrongMethod:
        return "method: " + match.allowed_methods;
      case Router::Outcome::kBadEncoding:
        return "encoding";
    }
    return {};
  }

  Router router_;
  Request request_;
};

TEST_F(RouterTest, MatchesPathsByMethodAndDepth) {
  EXPECT_EQ(find(Method::kGet, "/v/functions"), "List");
  EXPECT_EQ(find(Method::kGet, "/v/functions/"), "List");
  EXPECT_EQ(find(Method::kHead, "/v/functions?x=y"), "List");
  EXPECT_EQ(find(Method::kPost, "/v/functions"), "Create");
  EXPECT_EQ(find(Method::kPut, "/v/functions/f/code"), "UpdateCode");
}

TEST_F(RouterTest, DecodesLabelsAfterMatching) {
  EXPECT_EQ(find(Method::kGet, "/v/functions/arn%3Aaws%2Fx"), "Get");
  EXPECT_EQ(request_.label("Name"), "arn:aws/x");
  EXPECT_EQ(find(Method::kDelete, "/v/layers/l/versions/12"), "DeleteLayer");
  EXPECT_EQ(request_.label("Layer"), "l");
  EXPECT_EQ(request_.label("Version"), "12");
  EXPECT_EQ(request_.label("Other"), "");
  EXPECT_EQ(find(Method::kGet, "/v/functions/%2"), "encoding");
}

TEST_F(RouterTest, PrefersTheRouteWhoseQueryIsThere) {
  EXPECT_EQ(find(Method::kGet, "/v/layers?find=LayerVersion&Arn=x"), "ByArn");
  EXPECT_EQ(find(Method::kGet, "/v/layers?find=Other"), "ListLayers");
}

TEST_F(RouterTest, TellsUnknownPathsFromWrongMethods) {
  EXPECT_EQ(find(Method::kDelete, "/v/functions"), "method: GET, HEAD, POST");
  for (const char* target : {"/", "/w", "/v", "/v//", "/v/functions//code", "/v/functions/f/code/x", "v/functions", "*",
                             "/v/functions/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r"}) {
    EXPECT_EQ(find(Method::kPut, target), "unknown") << target;
  }
}

}  // namespace
}  // namespace ogni::http
