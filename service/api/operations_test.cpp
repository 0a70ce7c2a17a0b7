#include "service/api/operations.h"

#include <filesystem>
#include <set>

#include "base/system.h"
#include "service/api/testing.h"

namespace ogni::service {
namespace {

using testing::ApiTest;
using testing::Reply;
namespace json = boost::json;

std::string with_labels_filled(std::string_view path) {
  std::string filled;
  while (!path.empty()) {
    const std::size_t open = path.find('{');
    filled += path.substr(0, open);
    if (open == std::string_view::npos) break;
    filled += "x";
    path.remove_prefix(path.find('}') + 1);
  }
  return filled;
}

TEST_F(ApiTest, AnswersEveryOperationThatIsNotBuiltWithItsName) {
  start();
  for (const OperationNotBuilt& operation : operations_not_built()) {
    std::string target = with_labels_filled(operation.path);
    if (!operation.query.empty()) target += "?" + std::string(operation.query);
    const Reply reply =
        call(http::to_string(operation.method), target, operation.method == http::Method::kGet ? "" : "{}");
    EXPECT_EQ(refusal(reply),
              "501 NotImplementedException: " + std::string(operation.name) + " is not implemented by Ogni yet.");
  }
}

// The model that AWS's own Python client carries: whatever it can call here is either built or says that it is not.
TEST_F(ApiTest, KnowsEveryOperationOfBotocoresModel) {
  const std::string path = "/usr/lib/python3/dist-packages/botocore/data/lambda/2015-03-31/service-2.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "python3-botocore is not installed";
  start();
  const json::value model = json::parse(read_file(path, 16 << 20).value());
  const std::set<std::string> built{"CreateFunction",
                                    "GetFunction",
                                    "GetFunctionConfiguration",
                                    "ListFunctions",
                                    "UpdateFunctionCode",
                                    "UpdateFunctionConfiguration",
                                    "DeleteFunction",
                                    "Invoke",
                                    "PublishLayerVersion",
                                    "GetLayerVersion",
                                    "GetLayerVersionByArn",
                                    "ListLayers",
                                    "ListLayerVersions",
                                    "DeleteLayerVersion",
                                    "GetAccountSettings",
                                    "ListTags",
                                    "TagResource",
                                    "UntagResource"};
  std::size_t seen = 0;
  for (const auto& operation : model.at("operations").as_object()) {
    const std::string name(operation.key());
    const json::value& how = operation.value().at("http");
    const Reply reply = call(std::string_view(how.at("method").as_string()),
                             with_labels_filled(std::string_view(how.at("requestUri").as_string())));
    const std::string type = reply.header("x-amzn-ErrorType");
    if (built.contains(name)) {
      ++seen;
      EXPECT_NE(type, "NotImplementedException") << name;
      EXPECT_NE(type, "UnknownOperationException") << name;
    } else {
      EXPECT_EQ(refusal(reply), "501 NotImplementedException: " + name + " is not implemented by Ogni yet.");
    }
  }
  EXPECT_EQ(seen, built.size());
}

}  // namespace
}  // namespace ogni::service
