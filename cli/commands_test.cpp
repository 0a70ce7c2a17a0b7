// The smaller commands as processes, against scripted services; and what all commands have in common.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <map>

#include "cli/fake_lambda.h"
#include "cli/program_run.h"
#include "cli/scripted_server.h"
#include "package/temporary_folder.h"

namespace ogni::cli {
namespace {

namespace json = boost::json;

ProgramRun run_at(const ScriptedServer& server, const std::vector<std::string>& arguments) {
  server.seen();  // here and below: hands what the script shares with the test over to the other thread
  ProgramRun run = run_ogni(arguments, {{"AWS_ENDPOINT_URL", server.url()}});
  server.seen();
  return run;
}

TEST(Ogni, SaysItsVersionAndHelpsWithAnExampleForEveryCommand) {
  EXPECT_TRUE(run_ogni({"--version"}).out.starts_with("ogni "));
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{{"deploy"},
                                                                                       {"invoke"},
                                                                                       {"logs"},
                                                                                       {"list"},
                                                                                       {"delete"},
                                                                                       {"layer"},
                                                                                       {"layer", "publish"},
                                                                                       {"layer", "list"},
                                                                                       {"bench"},
                                                                                       {"serve"},
                                                                                       {"doctor"}}) {
    std::vector<std::string> arguments = command;
    arguments.emplace_back("--help");
    const ProgramRun run = run_ogni(arguments);
    EXPECT_EQ(run.exit_code, 0) << command.back();
    EXPECT_NE(run.out.find("Example"), std::string::npos) << command.back();
  }
}

TEST(Ogni, WrongWordsAreExitCodeTwo) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {}, {"fly"}, {"--fly"}, {"list", "--output", "xml"}, {"invoke"}, {"layer"}, {"logs", "f", "--tail", "-5"}}) {
    const ProgramRun run = run_ogni(arguments);
    EXPECT_EQ(run.exit_code, 2) << run.err;
    EXPECT_NE(run.err, "");
  }
}

TEST(Serve, WrongSettingsAreExitCodeTwoWithTheirSource) {
  const package::TemporaryFolder folder;
  folder.write("ogni.toml", "isolation = 'jail'\n");
  const std::string config = folder.string() + "/ogni.toml";
  EXPECT_EQ(run_ogni({"serve", "--listen", "nowhere"}).err,
            "ogni: flag: listen: 'nowhere' is not ADDRESS:PORT with a numeric address, for example 127.0.0.1:4566 or "
            "[::1]:4566\n");
  EXPECT_NE(run_ogni({"serve"}, {{"OGNI_REGION", "x"}}).err.find("environment: region: 'x'"), std::string::npos);
  const ProgramRun file = run_ogni({"serve", "--config", config});
  EXPECT_EQ(file.exit_code, 2);
  EXPECT_NE(file.err.find(config + ": isolation: 'jail'"), std::string::npos) << file.err;
  EXPECT_EQ(run_ogni({"serve"}, {{"OGNI_CONFIG", folder.string() + "/none"}}).exit_code, 2);
}

TEST(Doctor, FailsWhereTheDataDirectoryCannotBeMadeOrThePortIsTaken) {
  ScriptedServer other([](const SeenRequest&) { return ScriptedReply{.status = 404}; });
  const package::TemporaryFolder folder;
  folder.write("file", "");
  const ProgramRun run = run_at(other, {"doctor", "--data", folder.string() + "/file/data", "--output", "json"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  const json::value report = json::parse(run.out);
  EXPECT_EQ(report.at("CanServe"), false);
  std::map<std::string, bool> good;
  for (const json::value& finding : report.at("Findings").as_array()) {
    good[std::string(finding.at("Name").as_string())] = finding.at("Good").as_bool();
  }
  EXPECT_FALSE(good.at("data directory"));
  EXPECT_FALSE(good.at("port"));
  EXPECT_TRUE(good.at("bash"));
}

TEST(Doctor, TakesAnAnsweringServiceForAGoodSign) {
  ScriptedServer service([](const SeenRequest&) { return ScriptedReply{.body = "ok"}; });
  const package::TemporaryFolder folder;
  const ProgramRun run = run_at(service, {"doctor", "--data", folder.string() + "/not/yet"});
  EXPECT_NE(run.out.find("the service answers at " + service.url()), std::string::npos) << run.out;
  EXPECT_NE(run.out.find("ok  data directory"), std::string::npos) << run.out;
}

TEST(List, FollowsThePagesAndShowsHostileNamesHarmlessly) {
  ScriptedServer server([](const SeenRequest& r) {
    if (r.target == "/2015-03-31/functions") {
      return ScriptedReply{.body = R"({"Functions":[{"FunctionName":"one","Runtime":"python3.11","MemorySize":128,
          "Timeout":3,"CodeSize":1234,"State":"Active","LastModified":"2026-01-02T03:04:05.000+0000"}],"NextMarker":"a/b="})"};
    }
    return ScriptedReply{.body = R"({"Functions":[{"FunctionName":"\u001b[2Jtwo"}],"NextMarker":null})"};
  });
  const ProgramRun text = run_at(server, {"list"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_NE(text.out.find("one"), std::string::npos);
  EXPECT_NE(text.out.find("1.2 kB"), std::string::npos);
  EXPECT_NE(text.out.find("\\x1b[2Jtwo"), std::string::npos) << text.out;
  EXPECT_EQ(server.lines(),
            (std::vector<std::string>{"GET /2015-03-31/functions", "GET /2015-03-31/functions?Marker=a%2Fb%3D"}));
  EXPECT_EQ(json::parse(run_at(server, {"list", "--output", "json"}).out).at("Functions").as_array().size(), 2U);
}

TEST(List, SaysWhatToDoWhenThereIsNothing) {
  ScriptedServer server([](const SeenRequest&) { return ScriptedReply{.body = R"({"Functions":[]})"}; });
  const ProgramRun run = run_at(server, {"list"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, "");
  EXPECT_NE(run.err.find("ogni deploy"), std::string::npos);
}

TEST(List, EndsWhenAServiceRepeatsItsMarkerForEver) {
  ScriptedServer server(
      [](const SeenRequest&) { return ScriptedReply{.body = R"({"Functions":[],"NextMarker":"x"})"}; });
  EXPECT_EQ(run_at(server, {"list"}).exit_code, 0);
  EXPECT_EQ(server.seen().size(), 2U);
}

TEST(List, RefusesAnswersThatAreNotTheApi) {
  ScriptedServer html([](const SeenRequest&) { return ScriptedReply{.body = "<html>"}; });
  EXPECT_EQ(run_at(html, {"list"}).exit_code, 4);
  ScriptedServer broken([](const SeenRequest&) { return ScriptedReply{.status = 502, .body = "bad gateway"}; });
  const ProgramRun run = run_at(broken, {"list"});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_NE(run.err.find("502"), std::string::npos) << run.err;
}

TEST(Delete, AsksUnlessToldAndCannotAskWithoutATerminal) {
  ScriptedServer server([](const SeenRequest&) { return ScriptedReply{.status = 204}; });
  const ProgramRun unasked = run_at(server, {"delete", "f"});
  EXPECT_EQ(unasked.exit_code, 2);
  EXPECT_NE(unasked.err.find("--yes"), std::string::npos);
  EXPECT_TRUE(server.seen().empty());

  const ProgramRun told = run_at(server, {"delete", "f", "--yes", "--output", "json"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_EQ(json::parse(told.out).at("Deleted"), true);
  EXPECT_EQ(server.lines(), std::vector<std::string>{"DELETE /2015-03-31/functions/f"});
}

TEST(Logs, PrintsLinesHoweverTheStreamIsCut) {
  ScriptedServer server([](const SeenRequest&) {
    return ScriptedReply{.chunks = {"2026-01-01T00:00:00.000Z\tstdout\tSTA",
                                    "RT one\n2026-01-01T00:00:01.000Z\tstdout\t\ta b\n",
                                    "2026-01-01T00:00:02.000Z\tstdout\tlast"}};
  });
  const ProgramRun run = run_at(server, {"logs", "hello", "-f", "-n", "7"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out,
            "2026-01-01T00:00:00.000Z START one\n2026-01-01T00:00:01.000Z \ta b\n2026-01-01T00:00:02.000Z last\n");
  EXPECT_EQ(run_at(server, {"logs", "hello"}).exit_code, 0);
  EXPECT_EQ(server.lines(), (std::vector<std::string>{"GET /_ogni/functions/hello/logs?tail=7&follow=1",
                                                      "GET /_ogni/functions/hello/logs?tail=100"}));
}

TEST(Logs, EntriesOfSeveralLinesAndOfJsonAreReadable) {
  const std::string begin = "2026-01-01T00:00:00.000Z\ts\t";
  ScriptedServer server([&](const SeenRequest&) {
    return ScriptedReply{
        .chunks = {begin + "Error: x\r    at a\r    at b\n" + begin + "crlf\r\n" + begin + "\x1b[2J\r\x1b]0;t\x07\n" +
                   begin + R"({"timestamp":"t","level":"ERROR","message":"it\u001b[2J\rfailed","requestId":"r",)" +
                   R"("stackTrace":["at a\n","at b"],"more":{"n":1}})" + "\n" + begin +
                   R"({"time":"t","type":"platform.report","record":{"requestId":"r","metrics":{"durationMs":1.5}}})" +
                   "\n" + begin + "{\"other\":1}\n" + begin + "{no json\n"}};
  });
  const std::string time = "2026-01-01T00:00:00.000Z ";
  EXPECT_EQ(run_at(server, {"logs", "f"}).out,
            time + "Error: x\n" + time + "    at a\n" + time + "    at b\n" + time + "crlf\n" + time + "\\x1b[2J\n" +
                time + "\\x1b]0;t\\x07\n" + time + "ERROR it\\x1b[2J\n" + time + "failed requestId=r n=1\n" + time +
                "  at a\n" + time + "\n" + time + "  at b\n" + time + "platform.report requestId=r durationMs=1.5\n" +
                time + "{\"other\":1}\n" + time + "{no json\n");
}

TEST(Logs, SinceLeavesOutWhatIsOlder) {
  ScriptedServer server([](const SeenRequest&) {
    return ScriptedReply{.chunks = {"2026-01-01T00:00:00.000Z\tstdout\told\n2026-01-01T00:00:01.500Z\tstderr\tnew\n"}};
  });
  const ProgramRun run = run_at(server, {"logs", "f", "--since", "2026-01-01T00:00:01", "--output", "json"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(json::parse(run.out), json::parse(R"({"time":"2026-01-01T00:00:01.500Z","stream":"stderr","line":"new"})"));
  EXPECT_EQ(run_at(server, {"logs", "f", "--since", "1s"}).out, "") << "the log is older than that";
  EXPECT_NE(run_at(server, {"logs", "f", "--since", "99999d"}).out, "");
  EXPECT_EQ(run_at(server, {"logs", "f", "--since", "yesterday"}).exit_code, 2);
}

TEST(Logs, OfAnUnknownFunctionIsARefusal) {
  ScriptedServer server([](const SeenRequest&) {
    return ScriptedReply{.status = 404,
                         .body = R"({"Message":"Function not found: f"})",
                         .headers = {{"x-amzn-ErrorType", "ResourceNotFoundException"}}};
  });
  EXPECT_EQ(run_at(server, {"logs", "f"}).exit_code, 4);
}

class Bench : public testing::Test {
 protected:
  Bench() : server_([this](const SeenRequest& request) { return lambda_(request); }) {
    lambda_.function = json::object{{"FunctionName", "f"}, {"Runtime", "provided.al2023"}, {"Description", "mine"}};
  }
  std::size_t count(const std::string& method) const {
    std::size_t found = 0;
    for (const SeenRequest& request : server_.seen()) found += request.method == method ? 1U : 0U;
    return found;
  }
  FakeLambda lambda_;
  ScriptedServer server_;
};

TEST_F(Bench, MeasuresColdAndWarmCallsAndPutsTheDescriptionBack) {
  const ProgramRun run = run_at(server_, {"bench", "f", "--cold", "3", "--warm", "5", "--output", "json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(count("POST"), 3U + 1U + 5U) << "one call warms up";
  EXPECT_EQ(count("PUT"), 3U + 1U);
  EXPECT_EQ(lambda_.function->at("Description"), "mine");
  const json::value result = json::parse(run.out);
  const json::value& f = result.at("functions").at(0);
  EXPECT_EQ(f.at("name"), "f");
  EXPECT_GT(f.at("cold_p50_ms").as_double(), 0);
  EXPECT_GE(f.at("warm_p99_ms").as_double(), f.at("warm_p50_ms").as_double());
  EXPECT_EQ(f.at("ratio_to_fastest"), 1.0);
}

TEST_F(Bench, PrintsATableOfWhatWasMeasured) {
  const ProgramRun run = run_at(server_, {"bench", "f", "f", "--cold", "0", "--warm", "2"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(count("PUT"), 0U);
  EXPECT_EQ(std::count(run.out.begin(), run.out.end(), '\n'), 3);
  EXPECT_NE(run.out.find("COLD p50"), std::string::npos);
  EXPECT_NE(run.out.find("1.00 x"), std::string::npos);
}

TEST(BenchErrors, FunctionErrorEndsItWithExitCodeOne) {
  FakeLambda lambda;
  lambda.function = json::object{{"FunctionName", "f"}, {"Description", "mine"}};
  ScriptedServer server([&](const SeenRequest& request) {
    ScriptedReply reply = lambda(request);
    if (request.method == "POST") reply.headers.emplace_back("X-Amz-Function-Error", "Unhandled");
    return reply;
  });
  const ProgramRun run = run_at(server, {"bench", "f", "--cold", "2", "--warm", "2"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_NE(run.err.find("ogni logs f"), std::string::npos) << run.err;
  EXPECT_EQ(lambda.function->at("Description"), "mine") << "put back after a failure too";
}

}  // namespace
}  // namespace ogni::cli
