#include "protocol/arn.h"

#include <gtest/gtest.h>

#include "protocol/errors.h"
#include "protocol/limits.h"
#include "protocol/runtime_api.h"

namespace ogni::protocol {
namespace {

TEST(FunctionNameForms, AreAllUnderstood) {
  const Home home;
  for (const std::string& text : {std::string("my-fn"), std::string("function:my-fn"),
                                  std::string("000000000000:function:my-fn"), function_arn(home, "my-fn")}) {
    const auto name = parse_function_name(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->name, "my-fn");
    EXPECT_FALSE(name->qualifier);
    const std::string qualified = text + ":live";
    const auto with_qualifier = parse_function_name(qualified);
    ASSERT_TRUE(with_qualifier) << qualified;
    EXPECT_EQ(with_qualifier->name, "my-fn");
    EXPECT_EQ(with_qualifier->qualifier, "live");
  }
  EXPECT_EQ(parse_function_name("my-fn:$LATEST")->qualifier, "$LATEST");
  const std::string arn = function_arn(home, "f", "3");
  EXPECT_EQ(parse_function_name(arn)->account, "000000000000");
  EXPECT_EQ(parse_function_name(arn)->region, "us-east-1");
}

TEST(FunctionNameForms, RefuseWhatThePatternRefuses) {
  for (const char* text : {"", "a b", "f:", ":f", "f:q:r", "f:$latest", "arn:aws:lambda", "arn:aws:s3:::bucket",
                           "arn:aws:lambda:us-east-1:0000:function:f", "../etc", "f\n", "f/g",
                           "arn:aws:lambda:us-east-1:000000000000:layer:f"}) {
    EXPECT_FALSE(parse_function_name(text)) << text;
  }
}

TEST(LayerNames, AreUnderstoodWithAndWithoutVersion) {
  const Home home;
  EXPECT_EQ(parse_layer_name("tools")->name, "tools");
  const std::string arn = layer_version_arn(home, "tools", 12);
  EXPECT_EQ(arn, "arn:aws:lambda:us-east-1:000000000000:layer:tools:12");
  EXPECT_EQ(parse_layer_name(arn)->version, 12);
  const std::string unversioned = layer_arn(home, "tools");
  EXPECT_FALSE(parse_layer_name(unversioned)->version);
  EXPECT_FALSE(parse_layer_name(arn + "x"));
  EXPECT_FALSE(parse_layer_name("arn:aws:lambda:us-east-1:000000000000:function:f"));
}

TEST(Limits, ThePayloadLimitIsTheNumberInAwsMessages) { EXPECT_EQ(limits::kPayloadBytesMax, 6'291'556U); }

}  // namespace
}  // namespace ogni::protocol
