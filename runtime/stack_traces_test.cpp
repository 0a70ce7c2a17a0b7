// In a program of its own: it links ogni::stack_traces.
#include <gtest/gtest.h>

#include <cstring>
#include <exception>
#include <stdexcept>
#include <vector>

#include "runtime/failure.h"
#include "runtime/stack_traces.h"

namespace ogni {

// With a name that the loader knows: exported, and not merged into its caller.
__attribute__((noinline, visibility("default"))) void throw_from_here(int depth) {
  if (depth > 0) {
    throw_from_here(depth - 1);
  } else {
    throw std::runtime_error("deep");
  }
  asm volatile("" ::: "memory");  // so that the call above is one, not a jump
}

namespace {

template <typename Function>
Response failure_of(Function function) {
  try {
    function();
  } catch (...) {
    return runtime::current_exception_as_failure();
  }
  return Response::success("");
}

std::size_t frames_of(const std::vector<std::string>& stack, std::string_view name) {
  std::size_t count = 0;
  for (const std::string& line : stack) count += line.find(name) != std::string::npos ? 1U : 0U;
  return count;
}

TEST(StackTraces, NameTheFunctionsAtTheThrow) {
  const Response failure = failure_of([] { throw_from_here(3); });
  EXPECT_EQ(failure.error_message(), "deep");
  EXPECT_EQ(frames_of(failure.stack_trace(), "ogni::throw_from_here(int)"), 4U)
      << testing::PrintToString(failure.stack_trace());
}

TEST(StackTraces, ComeFromTheLibrarysOwnThrowsToo) {
  const Response failure = failure_of([] { static_cast<void>(std::vector<int>().at(1)); });
  EXPECT_EQ(failure.error_type(), "std::out_of_range");
  EXPECT_GT(failure.stack_trace().size(), 0U);
}

TEST(StackTraces, AreOfTheTypeThatIsReported) {
  try {
    throw_from_here(0);
  } catch (...) {
    const void* object = nullptr;
    const std::exception_ptr current = std::current_exception();
    std::memcpy(static_cast<void*>(&object), static_cast<const void*>(&current), sizeof object);
    EXPECT_GT(runtime::thrown_stack(object).size(), 0U);
    try {
      throw 7;
    } catch (...) {
      EXPECT_EQ(runtime::thrown_stack(object).size(), 0U);
    }
  }
}

TEST(StackTraces, BelongToTheExceptionThatIsReported) {
  const Response failure = failure_of([] {
    try {
      throw_from_here(1);
    } catch (const std::runtime_error&) {
      std::throw_with_nested(std::logic_error("outer"));
    }
  });
  ASSERT_NE(failure.cause(), nullptr);
  EXPECT_EQ(frames_of(failure.stack_trace(), "throw_from_here"), 0U) << "outer was thrown by the lambda";
  EXPECT_EQ(failure.cause()->stack_trace().size(), 0U) << "no longer known, and not invented";
}

}  // namespace
}  // namespace ogni
