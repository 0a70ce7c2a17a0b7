#include "service/runtime_api/state_machine.h"

#include <gtest/gtest.h>

#include <string>

namespace ogni::service::runtime_api {
namespace {

using enum RuntimeState;

constexpr RuntimeState kStates[] = {
    kStarted,      kInitError,    kReady,     kRunning,     kInvocationResponse, kInvocationErrorResponse,
    kResponseSent, kRestoreReady, kRestoring, kRestoreError};
constexpr RuntimeCall kCalls[] = {RuntimeCall::kNext,      RuntimeCall::kResponse,    RuntimeCall::kError,
                                  RuntimeCall::kInitError, RuntimeCall::kRestoreNext, RuntimeCall::kRestoreError};

// A machine in `state`, brought there by the calls of a program.
RuntimeStateMachine machine_in(RuntimeState state) {
  RuntimeStateMachine machine;
  const auto run = [&] {
    EXPECT_TRUE(machine.next());
    machine.deliver();
  };
  switch (state) {
    case kStarted:
      break;
    case kInitError:
      EXPECT_EQ(machine.init_error(), std::nullopt);
      break;
    case kReady:
      EXPECT_TRUE(machine.next());
      break;
    case kRunning:
      run();
      break;
    case kInvocationResponse:
      run();
      EXPECT_TRUE(machine.begin_response(true, ""));
      break;
    case kInvocationErrorResponse:
      run();
      EXPECT_TRUE(machine.begin_error(true));
      break;
    case kResponseSent:
      run();
      EXPECT_TRUE(machine.begin_response(true, ""));
      machine.finish_answer();
      break;
    case kRestoreReady:
    case kRestoring:
    case kRestoreError:
      EXPECT_EQ(machine.restore_next(), std::nullopt);
      if (state == kRestoreReady) break;
      machine.restore();
      if (state == kRestoring) break;
      EXPECT_EQ(machine.restore_error(), std::nullopt);
      break;
  }
  EXPECT_EQ(machine.state(), state);
  return machine;
}

// What came of a call: "202", "wait", "wait more", "again" or the status of the refusal.
std::string call(RuntimeStateMachine& machine, RuntimeCall which, bool id_is_current = true) {
  const auto word = [](const std::optional<ApiError>& refused, const char* allowed) {
    return refused ? std::to_string(refused->http_status) : std::string(allowed);
  };
  const auto answer = [](const RuntimeStateMachine::Allowed& allowed) {
    return allowed ? std::string("202") : std::to_string(allowed.error().http_status);
  };
  switch (which) {
    case RuntimeCall::kNext: {
      const auto outcome = machine.next();
      if (!outcome) return std::to_string(outcome.error().http_status);
      if (*outcome == NextOutcome::kRedeliver) return "again";
      return *outcome == NextOutcome::kReady ? "wait" : "wait more";
    }
    case RuntimeCall::kResponse:
      return answer(machine.begin_response(id_is_current, ""));
    case RuntimeCall::kError:
      return answer(machine.begin_error(id_is_current));
    case RuntimeCall::kInitError:
      return word(machine.init_error(), "202");
    case RuntimeCall::kRestoreNext:
      return word(machine.restore_next(), "wait");
    case RuntimeCall::kRestoreError:
      return word(machine.restore_error(), "202");
  }
  return "?";
}

struct Expected {
  const char* outcome;
  RuntimeState after;
};

TEST(RuntimeStateMachine, EveryCallInEveryStateDoesWhatTheTableOfAwsSays) {
  // Columns: next, response, error (id of the current invocation), init/error, restore/next, restore/error.
  const Expected kExpected[kRuntimeStates][kRuntimeCalls] = {
      {{"wait", kReady},
       {"403", kStarted},
       {"403", kStarted},
       {"202", kInitError},
       {"wait", kRestoreReady},
       {"403", kStarted}},
      {{"403", kInitError},
       {"403", kInitError},
       {"403", kInitError},
       {"403", kInitError},
       {"403", kInitError},
       {"403", kInitError}},
      {{"wait more", kReady}, {"400", kReady}, {"400", kReady}, {"403", kReady}, {"403", kReady}, {"403", kReady}},
      {{"again", kRunning},
       {"202", kInvocationResponse},
       {"202", kInvocationErrorResponse},
       {"403", kRunning},
       {"403", kRunning},
       {"403", kRunning}},
      {{"403", kInvocationResponse},
       {"403", kInvocationResponse},
       {"403", kInvocationResponse},
       {"403", kInvocationResponse},
       {"403", kInvocationResponse},
       {"403", kInvocationResponse}},
      {{"403", kInvocationErrorResponse},
       {"403", kInvocationErrorResponse},
       {"403", kInvocationErrorResponse},
       {"403", kInvocationErrorResponse},
       {"403", kInvocationErrorResponse},
       {"403", kInvocationErrorResponse}},
      {{"wait", kReady},
       {"403", kResponseSent},
       {"403", kResponseSent},
       {"403", kResponseSent},
       {"403", kResponseSent},
       {"403", kResponseSent}},
      {{"403", kRestoreReady},
       {"400", kRestoreReady},
       {"400", kRestoreReady},
       {"403", kRestoreReady},
       {"403", kRestoreReady},
       {"403", kRestoreReady}},
      {{"wait", kReady},
       {"400", kRestoring},
       {"400", kRestoring},
       {"202", kRestoreError},
       {"403", kRestoring},
       {"202", kRestoreError}},
      {{"403", kRestoreError},
       {"400", kRestoreError},
       {"400", kRestoreError},
       {"403", kRestoreError},
       {"403", kRestoreError},
       {"403", kRestoreError}},
  };
  for (const RuntimeState state : kStates) {
    for (const RuntimeCall which : kCalls) {
      RuntimeStateMachine machine = machine_in(state);
      const Expected& expected = kExpected[static_cast<int>(state)][static_cast<int>(which)];
      EXPECT_EQ(call(machine, which), expected.outcome) << name_of(state) << ", call " << static_cast<int>(which);
      EXPECT_EQ(machine.state(), expected.after) << name_of(state) << ", call " << static_cast<int>(which);
    }
  }
}

TEST(RuntimeStateMachine, AWrongIdIsA400InEveryStateAndMovesNothing) {
  for (const RuntimeState state : kStates) {
    RuntimeStateMachine machine = machine_in(state);
    const auto response = machine.begin_response(false, "no such mode");
    const auto error = machine.begin_error(false);
    ASSERT_FALSE(response) << name_of(state);
    ASSERT_FALSE(error) << name_of(state);
    EXPECT_EQ(response.error(), invalid_request_id()) << name_of(state);
    EXPECT_EQ(error.error(), invalid_request_id()) << name_of(state);
    EXPECT_EQ(machine.state(), state);
  }
}

TEST(RuntimeStateMachine, ASecondAnswerToTheCurrentInvocationIsA403ThatNamesBothStates) {
  RuntimeStateMachine machine = machine_in(kResponseSent);
  const auto second = machine.begin_response(true, "");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().http_status, 403);
  EXPECT_EQ(second.error().body(),
            "{\"errorMessage\":\"State transition from RuntimeResponseSentState to InvocationResponse failed for "
            "runtime. Error: State transition is not allowed\",\"errorType\":\"InvalidStateTransition\"}\n");
  const auto error = machine.begin_error(true);
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().message,
            "State transition from RuntimeResponseSentState to InvocationErrorResponse failed for runtime. Error: "
            "State transition is not allowed");
}

TEST(RuntimeStateMachine, TheInvocationIsOverAtTheNextPollNotAtTheResponse) {
  RuntimeStateMachine machine = machine_in(kRunning);
  EXPECT_TRUE(machine.begin_response(true, ""));
  EXPECT_TRUE(machine.has_invocation());
  machine.finish_answer();
  EXPECT_TRUE(machine.has_invocation());
  EXPECT_EQ(machine.next().value(), NextOutcome::kReady);
  EXPECT_FALSE(machine.has_invocation());
}

TEST(RuntimeStateMachine, TheIdOfACompletedInvocationIsA400) {
  RuntimeStateMachine machine = machine_in(kResponseSent);
  EXPECT_EQ(machine.next().value(), NextOutcome::kReady);
  EXPECT_EQ(call(machine, RuntimeCall::kResponse, true), "400");
  EXPECT_EQ(call(machine, RuntimeCall::kError, true), "400");
}

TEST(RuntimeStateMachine, ARepeatedPollOfARunningInvocationGetsTheSameEventEveryTime) {
  RuntimeStateMachine machine = machine_in(kRunning);
  for (int poll = 0; poll < 3; ++poll) EXPECT_EQ(machine.next().value(), NextOutcome::kRedeliver);
  EXPECT_TRUE(machine.begin_response(true, ""));
}

TEST(RuntimeStateMachine, APollBeforeTheUploadIsDoneIsA403AndTheUploadGoesOn) {
  RuntimeStateMachine machine = machine_in(kInvocationResponse);
  EXPECT_EQ(call(machine, RuntimeCall::kNext), "403");
  machine.finish_answer();
  EXPECT_EQ(call(machine, RuntimeCall::kNext), "wait");
}

TEST(RuntimeStateMachine, AnOversizedResponseKeepsTheEnvironment) {
  RuntimeStateMachine machine = machine_in(kInvocationResponse);
  EXPECT_EQ(request_too_large().http_status, 413);
  EXPECT_EQ(request_too_large().body(),
            "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":"
            "\"RequestEntityTooLarge\"}\n");
  machine.finish_answer();
  EXPECT_EQ(call(machine, RuntimeCall::kNext), "wait");
  machine.deliver();
  EXPECT_EQ(machine.state(), kRunning);
}

TEST(RuntimeStateMachine, AnAnswerThatEndsAfterARestartChangesNothing) {
  RuntimeStateMachine machine = machine_in(kInvocationResponse);
  machine.reset();
  machine.finish_answer();
  EXPECT_EQ(machine.state(), kStarted);
}

TEST(RuntimeStateMachine, AnUnknownResponseModeIsRefusedAfterIdAndStateAndKeepsTheEnvironment) {
  RuntimeStateMachine late = machine_in(kResponseSent);
  const auto second = late.begin_response(true, "Streaming");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().http_status, 403);

  RuntimeStateMachine machine = machine_in(kRunning);
  const auto refused = machine.begin_response(true, "Streaming");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), invalid_response_mode());
  EXPECT_EQ(machine.state(), kResponseSent);
  EXPECT_EQ(call(machine, RuntimeCall::kNext), "wait");

  RuntimeStateMachine streaming = machine_in(kRunning);
  EXPECT_TRUE(streaming.begin_response(true, "streaming"));
}

TEST(RuntimeStateMachine, AnErrorIsNotFatalButAnInitErrorIs) {
  RuntimeStateMachine machine = machine_in(kInvocationErrorResponse);
  machine.finish_answer();
  EXPECT_EQ(call(machine, RuntimeCall::kNext), "wait");

  RuntimeStateMachine failed = machine_in(kInitError);
  const auto next = failed.next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().message,
            "State transition from InitError to Ready failed for runtime. Error: State transition is not allowed");
  failed.reset();
  EXPECT_EQ(call(failed, RuntimeCall::kNext), "wait");
}

TEST(RuntimeStateMachine, AnInitErrorAfterARestoreIsARestoreError) {
  RuntimeStateMachine machine = machine_in(kRestoring);
  EXPECT_EQ(machine.init_error(), std::nullopt);
  EXPECT_EQ(machine.state(), kRestoreError);
}

TEST(RuntimeApiErrors, HaveTheWordsOfAws) {
  EXPECT_EQ(invalid_request_id().body(),
            "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n");
  EXPECT_EQ(invalid_response_mode().body(),
            "{\"errorMessage\":\"Invalid function response "
            "mode\",\"errorType\":\"InvalidFunctionResponseMode\"}\n");
  EXPECT_EQ(truncated_request().body(),
            "{\"errorMessage\":\"HTTP request detected as truncated\",\"errorType\":\"TruncatedHTTPRequest\"}\n");
  EXPECT_EQ(invocation_is_over().body(), "{\"errorMessage\":\"Invoke timeout\",\"errorType\":\"InvokeTimeout\"}\n");
  EXPECT_EQ(internal_error().body(),
            "{\"errorMessage\":\"Internal Server Error\",\"errorType\":\"InternalServerError\"}\n");
  EXPECT_EQ(kAcceptedBody, "{\"status\":\"OK\"}\n");
}

TEST(RuntimeErrorType, IsShownOnlyIfItIsCleanAndOfAKnownCategory) {
  EXPECT_EQ(scrub_error_type("Runtime.UserCodeSyntaxError"), "Runtime.UserCodeSyntaxError");
  EXPECT_EQ(scrub_error_type("Function.MyError"), "Function.MyError");
  EXPECT_EQ(scrub_error_type("Function.myError"), "Function.Unknown");
  EXPECT_EQ(scrub_error_type("Function.My Error"), "Function.Unknown");
  EXPECT_EQ(scrub_error_type("Function."), "Function.Unknown");
  EXPECT_EQ(scrub_error_type("Function.A"), "Function.Unknown");
  EXPECT_EQ(scrub_error_type("Runtime.X1"), "Runtime.Unknown");
  EXPECT_EQ(scrub_error_type("Runtime.Ok\nEND RequestId: x"), "Runtime.Unknown");
  EXPECT_EQ(scrub_error_type("unhandled"), "Runtime.Unknown");
  EXPECT_EQ(scrub_error_type(""), "Runtime.Unknown");
  EXPECT_EQ(scrub_error_type("Runtime.A" + std::string(1 << 20, 'a')), "Runtime.Unknown");
}

}  // namespace
}  // namespace ogni::service::runtime_api
