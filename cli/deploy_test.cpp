// `ogni deploy` and `ogni layer` as processes, against a service in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>

#include "base/digest.h"
#include "cli/fake_lambda.h"
#include "cli/program_run.h"
#include "package/temporary_folder.h"
#include "package/zip.h"

namespace ogni::cli {
namespace {

namespace json = boost::json;

class Deploy : public testing::Test {
 protected:
  Deploy() : server_([this](const SeenRequest& request) { return lambda_(request); }) {
    folder_.write("hello/hello.sh", "handler() { echo hi; }\n");
  }

  ProgramRun run(const std::vector<std::string>& arguments) {
    return run_ogni(arguments, {{"OGNI_ENDPOINT", server_.url()}});
  }
  ProgramRun deploy(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"deploy", path()});
    return run(arguments);
  }
  std::string path() const { return folder_.string() + "/hello"; }
  // What of the requests was no question: method, path and body without the zip.
  std::vector<std::string> changes() const {
    std::vector<std::string> lines;
    for (const SeenRequest& request : server_.seen()) {
      if (request.method == "GET") continue;
      lines.push_back(request.line());
    }
    return lines;
  }
  json::object last_body(const std::string& line) const {
    json::object body;
    for (const SeenRequest& request : server_.seen()) {
      if (request.line() == line) body = json::parse(request.body).as_object();
    }
    return body;
  }
  json::object created() const { return last_body("POST /2015-03-31/functions"); }
  json::object last_configuration() const { return last_body("PUT /2015-03-31/functions/hello/configuration"); }

  package::TemporaryFolder folder_;
  FakeLambda lambda_;
  ScriptedServer server_;
};

TEST_F(Deploy, CreatesAFunctionFromALoneScriptAndSaysWhatWasAdded) {
  const ProgramRun result = deploy();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err,
            "no bootstrap in " + path() + ": added Ogni's default bash bootstrap, as the AWS console does\n");
  EXPECT_TRUE(result.out.starts_with("created hello (provided.al2023, handler hello.handler, ")) << result.out;
  EXPECT_NE(result.out.find("ogni invoke hello --payload"), std::string::npos);
  json::object body = created();
  body.erase("Code");
  EXPECT_EQ(body, json::parse(R"({"FunctionName":"hello","Runtime":"provided.al2023","Handler":"hello.handler",
                                  "Role":"arn:aws:iam::000000000000:role/ogni"})"));
  EXPECT_NE(lambda_.zip.find("bootstrap"), std::string::npos);
  EXPECT_EQ(lambda_.polls_left, 0) << "it waited until the function was ready";
}

TEST_F(Deploy, SendsWhatTheOptionsSay) {
  const ProgramRun result = deploy({"--name",    "other",         "--memory",
                                    "256",       "--timeout",     "9",
                                    "--env",     "A=1=2",         "--env",
                                    "B=",        "--layer",       "arn:l:1",
                                    "--layer",   "arn:l:2",       "--role",
                                    "arn:r",     "--description", "d",
                                    "--handler", "hello.x",       "--default-bootstrap",
                                    "--output",  "json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  json::object body = created();
  body.erase("Code");
  EXPECT_EQ(body, json::parse(R"({"FunctionName":"other","Runtime":"provided.al2023","Handler":"hello.x",
      "Role":"arn:r","Description":"d","MemorySize":256,"Timeout":9,"Layers":["arn:l:1","arn:l:2"],
      "Environment":{"Variables":{"A":"1=2","B":""}}})"));
  EXPECT_EQ(json::parse(result.out).at("LastUpdateStatus"), "Successful");
  EXPECT_NE(lambda_.zip.find("bootstrap"), std::string::npos);
}

TEST_F(Deploy, LeavesTheBootstrapToTheLayers) {
  const ProgramRun result = deploy({"--layer", "arn:l:1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(lambda_.zip.find("bootstrap"), std::string::npos);
  // The function keeps its layer, so the next deployment adds none either.
  ASSERT_EQ(deploy().exit_code, 0);
  EXPECT_EQ(lambda_.zip.find("bootstrap"), std::string::npos);
  ASSERT_EQ(deploy({"--no-layers"}).exit_code, 0);
  EXPECT_NE(lambda_.zip.find("bootstrap"), std::string::npos);
  EXPECT_EQ(last_configuration(), json::parse(R"({"Layers":[]})"));
}

TEST_F(Deploy, UpdatesOnlyTheSettingsThatDifferAndThenTheCode) {
  ASSERT_EQ(deploy({"--memory", "256"}).exit_code, 0);
  lambda_.polls_left = 3;  // as if another update were under way
  const ProgramRun result = deploy({"--memory", "256", "--timeout", "20"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(result.out.starts_with("updated hello ")) << result.out;
  EXPECT_EQ(changes(),
            (std::vector<std::string>{"POST /2015-03-31/functions", "PUT /2015-03-31/functions/hello/configuration",
                                      "PUT /2015-03-31/functions/hello/code"}));
  EXPECT_EQ(last_configuration(), json::parse(R"({"Timeout":20})"));
}

TEST_F(Deploy, UpdatesOnlyTheCodeWhenNothingElseIsNew) {
  ASSERT_EQ(deploy().exit_code, 0);
  const std::string before = lambda_.zip;
  ASSERT_EQ(deploy().exit_code, 0);
  EXPECT_EQ(changes().size(), 2U);
  EXPECT_EQ(lambda_.zip, before) << "the same folder is the same zip";
}

TEST_F(Deploy, TakesAZipAsItIs) {
  auto zip = package::zip_directory(path(), {});
  ASSERT_TRUE(zip);
  folder_.write("code.zip", zip->bytes);
  const ProgramRun untold = run({"deploy", folder_.string() + "/code.zip"});
  EXPECT_EQ(untold.exit_code, 2);
  EXPECT_NE(untold.err.find("--runtime and --handler"), std::string::npos) << untold.err;
  const ProgramRun told =
      run({"deploy", folder_.string() + "/code.zip", "--runtime", "provided.al2023", "--handler", "h"});
  ASSERT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(lambda_.zip, zip->bytes);
  EXPECT_TRUE(told.out.starts_with("created code "));
}

TEST_F(Deploy, ReportsAFailedUpdateWithTheServicesReason) {
  lambda_.failing_with = "no such layer";
  const ProgramRun result = deploy();
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_EQ(result.out, "");
  EXPECT_NE(result.err.find("no such layer"), std::string::npos) << result.err;
}

TEST_F(Deploy, RefusesWhatCannotBeDeployedBeforeItSendsAnything) {
  folder_.write("odd name/hello.sh", "handler() { :; }\n");
  folder_.write("plain.txt", "text");
  const std::vector<std::vector<std::string>> wrong{{"deploy", folder_.string() + "/odd name"},
                                                    {"deploy", path(), "--env", "NOEQUALS"},
                                                    {"deploy", path(), "--env", "=x"},
                                                    {"deploy", path(), "--memory", "1"},
                                                    {"deploy", path(), "--timeout", "901"},
                                                    {"deploy", path(), "--layer", "a", "--no-layers"},
                                                    {"deploy", path(), "--output", "xml"},
                                                    {"deploy"},
                                                    {"deploy", path(), "surplus"},
                                                    {"deploy", folder_.string() + "/none", "--name", "n"},
                                                    {"deploy", folder_.string() + "/plain.txt", "--name", "n"}};
  for (const auto& arguments : wrong) {
    const ProgramRun result = run(arguments);
    EXPECT_EQ(result.exit_code, 2) << arguments.back() << ": " << result.err;
    EXPECT_NE(result.err, "");
  }
  EXPECT_TRUE(changes().empty());
}

TEST(Layer, PublishPrintsTheArn) {
  ScriptedServer server([](const SeenRequest&) {
    return ScriptedReply{.status = 201,
                         .body = R"({"LayerVersionArn":"arn:aws:lambda:x:1:layer:runtime:3","Version":3})"};
  });
  const package::TemporaryFolder folder;
  folder.write("bootstrap", "#!/bin/sh\n", 0755);
  const ProgramRun run = run_ogni({"layer", "publish", "run/time", folder.string(), "--description", "d", "--license",
                                   "MIT", "--compatible-runtime", "provided.al2023"},
                                  {{"OGNI_ENDPOINT", server.url()}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, "arn:aws:lambda:x:1:layer:runtime:3\n");
  ASSERT_EQ(server.lines(), (std::vector<std::string>{"POST /2018-10-31/layers/run%2Ftime/versions"}));
  json::object body = json::parse(server.seen()[0].body).as_object();
  EXPECT_TRUE(from_base64(body.at("Content").at("ZipFile").as_string()).value().starts_with("PK"));
  body.erase("Content");
  EXPECT_EQ(body, json::parse(R"({"Description":"d","LicenseInfo":"MIT","CompatibleRuntimes":["provided.al2023"]})"));
}

TEST(Layer, ListShowsTheLatestVersions) {
  ScriptedServer server([](const SeenRequest&) {
    return ScriptedReply{.body = R"({"Layers":[{"LayerName":"a","LatestMatchingVersion":{"LayerVersionArn":"arn:a:2"}},
                                               {"LayerName":7}, "odd"]})"};
  });
  const ProgramRun run = run_ogni({"layer", "list"}, {{"OGNI_ENDPOINT", server.url()}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_NE(run.out.find("a     arn:a:2"), std::string::npos) << run.out;
}

}  // namespace
}  // namespace ogni::cli
