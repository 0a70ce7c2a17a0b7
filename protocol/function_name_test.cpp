#include "protocol/function_name.h"

#include <gtest/gtest.h>

namespace ogni::protocol {
namespace {

TEST(FunctionNameForms, AreAllUnderstood) {
  const Home home;
  for (const std::string& text : {std::string("my-fn"), std::string("function:my-fn"),
                                  std::string("000000000000:function:my-fn"), function_arn(home, "my-fn")}) {
    const auto name = split_function_name(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->name, "my-fn");
    EXPECT_FALSE(name->qualifier);
    const std::string qualified = text + ":live";
    const auto with_qualifier = split_function_name(qualified);
    ASSERT_TRUE(with_qualifier) << qualified;
    EXPECT_EQ(with_qualifier->name, "my-fn");
    EXPECT_EQ(with_qualifier->qualifier, "live");
  }
  EXPECT_EQ(split_function_name("my-fn:$LATEST")->qualifier, "$LATEST");
  const std::string arn = function_arn(home, "f", "3");
  EXPECT_EQ(split_function_name(arn)->account, "000000000000");
  EXPECT_EQ(split_function_name(arn)->region, "us-east-1");
}

TEST(FunctionNameForms, RefuseWhatThePatternRefuses) {
  for (const char* text : {"",
                           "a b",
                           "f:",
                           ":f",
                           "f:q:r",
                           "f:$latest",
                           "arn:aws:lambda",
                           "arn:aws:s3:::bucket",
                           "arn:aws:lambda:us-east-1:0000:function:f",
                           "../etc",
                           "f\n",
                           "f/g",
                           "f.g",
                           "f:$LATEST.PUBLISHED",
                           "arn:aws:lambda::000000000000:function:f",
                           "arn:aws:lambda:us-east-1::function:f",
                           "arn:aws:lambda:invalid-region:000000000000:function:f",
                           "arn:other:lambda:f",
                           "function:f:$LATEST:extra",
                           "arn:aws:ec2:us-east-1:000000000000:instance:i-1",
                           "invalid-account:function:f",
                           "arn:aws:lambda:us-east-1:123400000000@function:f"}) {
    EXPECT_FALSE(split_function_name(text)) << text;
  }
}

TEST(FunctionNameForms, TakeWhatIsCutAsThePatternDoes) {
  struct Case {
    const char* text;
    const char* name;
    const char* qualifier;
  };
  for (const Case& wanted :
       {Case{"arn:aws:lambda:us-east-1:000000000000:function", "function", ""},
        Case{"arn:aws:lambda:us-east-1:000000000000", "000000000000", ""},
        Case{"arn:aws:lambda:us-east-1", "us-east-1", ""}, Case{"arn:aws:lambda:f", "f", ""},
        Case{"arn::lambda:f", "f", ""}, Case{"us-east-1:f", "f", ""}, Case{"function", "function", ""},
        Case{"function:$LATEST", "function", "$LATEST"}, Case{"function:function", "function", ""},
        Case{"000000000000:f:1", "f", "1"}, Case{"000000000000:$LATEST", "000000000000", "$LATEST"},
        Case{"arn:aws:lambda:us-east-1:000000000000:layer:f", "layer", "f"}}) {
    const auto parsed = split_function_name(wanted.text);
    ASSERT_TRUE(parsed) << wanted.text;
    EXPECT_EQ(parsed->name, wanted.name) << wanted.text;
    EXPECT_EQ(parsed->qualifier.value_or(""), wanted.qualifier) << wanted.text;
  }
}

TEST(FunctionNameForms, MayHaveDotsWhereTheyAreNamespaced) {
  EXPECT_EQ(split_function_name("a.b:$LATEST.PUBLISHED", NameForm::kNamespaced)->name, "a.b");
  EXPECT_EQ(split_function_name("a.b:$LATEST.PUBLISHED", NameForm::kNamespaced)->qualifier, "$LATEST.PUBLISHED");
  EXPECT_FALSE(split_function_name("a:b.c", NameForm::kNamespaced));
}

TEST(Qualifiers, AreTheModels) {
  for (const char* good : {"1", "live", "$LATEST", "$latest", "a$b", "$LATEST.PUBLISHED"}) {
    EXPECT_TRUE(is_qualifier_parameter(good)) << good;
  }
  for (const char* bad : {"", "a b", "a.b", "$LATEST.published", "a!"})
    EXPECT_FALSE(is_qualifier_parameter(bad)) << bad;
  EXPECT_TRUE(is_qualifier_parameter(std::string(128, 'a')));
  EXPECT_FALSE(is_qualifier_parameter(std::string(129, 'a')));
  EXPECT_TRUE(is_alias("v1"));
  for (const char* other : {"1", "$latest", "$LATEST", ""}) EXPECT_FALSE(is_alias(other)) << other;
}

TEST(Regions, AreThoseOfThePattern) {
  for (const char* good : {"us-east-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-east-1",
                           "ap-southeast-2", "us-gov-1"}) {
    EXPECT_TRUE(is_model_region(good)) << good;
  }
  for (const char* bad : {"", "us", "us-east", "us-east-12", "invalid-region", "USA-east-1", "us-east-1-", "us--1",
                          "u1-east-1", "us-iso1-east-1"}) {
    EXPECT_FALSE(is_model_region(bad)) << bad;
  }
}

}  // namespace
}  // namespace ogni::protocol
