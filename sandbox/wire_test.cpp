#include "sandbox/wire.h"

#include <gtest/gtest.h>

#include <random>

namespace ogni::sandbox::wire {
namespace {

TEST(Wire, GivesBackEveryControlRequest) {
  const Program program{.candidates = {"/var/task/bootstrap", "/opt/bootstrap"},
                        .arguments = {"", "a b", "\xff"},
                        .variables = {"A=1", "B="},
                        .working_directory = "/var/task"};
  const auto decoded = decode_control_request(encode(program));
  ASSERT_TRUE(decoded);
  const auto* again = std::get_if<Program>(&*decoded);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->candidates, program.candidates);
  EXPECT_EQ(again->arguments, program.arguments);
  EXPECT_EQ(again->variables, program.variables);
  EXPECT_EQ(again->working_directory, program.working_directory);

  const auto signal = decode_control_request(encode(ControlRequest(Signal{.number = 15})));
  ASSERT_TRUE(signal && std::holds_alternative<Signal>(*signal));
  EXPECT_EQ(std::get<Signal>(*signal).number, 15);
  EXPECT_TRUE(decode_control_request(encode(ControlRequest(Kill{}))));
  EXPECT_FALSE(decode_control_request(encode(ControlRequest(Signal{.number = 65}))));
}

TEST(Wire, GivesBackEveryEvent) {
  const auto again = [](const Event& event) {
    Message message{.bytes = encode(event), .descriptors = {}};
    return decode_event(message);
  };
  const auto exited = again(Exited{.wait_status = -1, .max_rss_bytes = 1ULL << 40});
  ASSERT_TRUE(exited && std::holds_alternative<Exited>(*exited));
  EXPECT_EQ(std::get<Exited>(*exited).wait_status, -1);
  EXPECT_EQ(std::get<Exited>(*exited).max_rss_bytes, 1ULL << 40);
  const auto failed = again(StartFailed{.step = StartFailed::Step::kExecute, .path = "/p", .error = 13});
  ASSERT_TRUE(failed && std::holds_alternative<StartFailed>(*failed));
  EXPECT_EQ(std::get<StartFailed>(*failed).path, "/p");
  EXPECT_EQ(std::get<StartFailed>(*failed).error, 13);
  // A Listening without its socket is none.
  EXPECT_FALSE(again(Listening{.socket = Fd(), .port = 9001}));
}

TEST(Wire, GivesBackWhatALauncherHas) {
  const Ready ready{.means = {.why_tmp_is_memory = "why",
                              .processor_way = ProcessorWay::kWeight,
                              .weaker = {"no freezer", "one user"},
                              .why_no_way_out = "no pasta"}};

  const auto decoded = decode_launcher_message(encode(LauncherMessage(ready)));

  ASSERT_TRUE(decoded && std::holds_alternative<Ready>(*decoded));
  const LauncherMeans& means = std::get<Ready>(*decoded).means;
  EXPECT_EQ(means.why_tmp_is_memory, "why");
  EXPECT_EQ(means.processor_way, ProcessorWay::kWeight);
  EXPECT_EQ(means.weaker, (std::vector<std::string>{"no freezer", "one user"}));
  EXPECT_EQ(means.why_no_way_out, "no pasta");
}

TEST(Wire, GivesBackFreezeAndThawAndHowItIsDone) {
  EXPECT_TRUE(std::holds_alternative<Freeze>(decode_control_request(encode(ControlRequest(Freeze{}))).value()));
  EXPECT_TRUE(std::holds_alternative<Thaw>(decode_control_request(encode(ControlRequest(Thaw{}))).value()));
  const auto made =
      decode_launcher_message(encode(LauncherMessage(Made{.id = 7, .freeze_way = FreezeWay::kVersionTwo})));
  ASSERT_TRUE(made && std::holds_alternative<wire::Made>(*made));
  EXPECT_EQ(std::get<wire::Made>(*made).freeze_way, FreezeWay::kVersionTwo);
}

TEST(Wire, RefusesTextsThatLie) {
  EXPECT_FALSE(decode_control_request(encode(Program{.candidates = {std::string("a\0b", 3)}})));
  const std::string whole = encode(Program{.candidates = {"/bootstrap"}, .variables = {"A=1"}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_control_request(whole.substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_control_request(whole + "x"));
  std::string lying = whole;
  for (std::size_t i = 1; i < 9; ++i) lying[i] = '\xff';  // the count of candidates
  EXPECT_FALSE(decode_control_request(lying));
}

// Found by the fuzzer: a number of 64 bits was taken for its lower half.
TEST(Wire, RefusesAWaitStatusThatIsNone) {
  Message message{.bytes = encode(Event(Exited{.wait_status = -1})), .descriptors = {}};
  ASSERT_TRUE(decode_event(message));
  message.bytes[8] = '\x7f';  // the highest byte of the status
  EXPECT_FALSE(decode_event(message));
}

TEST(Wire, SurvivesAnyBytes) {
  std::mt19937 random(1);
  const std::string whole =
      encode(Program{.candidates = {"/bootstrap"}, .arguments = {"x", "y"}, .variables = {"A=1"}});
  int understood = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string bytes = whole;
    for (int flips = 0; flips < 3; ++flips) bytes[random() % bytes.size()] = static_cast<char>(random());
    const auto request = decode_control_request(bytes);
    // What is understood can be said again, and means the same.
    if (request) {
      ++understood;
      EXPECT_EQ(encode(*request), bytes);
    }
    Message message{.bytes = bytes, .descriptors = {}};
    (void)decode_event(message);
    (void)decode_launcher_message(bytes);
    (void)decode_make_environment(bytes);
  }
  EXPECT_GT(understood, 0);
}

}  // namespace
}  // namespace ogni::sandbox::wire
