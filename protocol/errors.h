// Names of function errors, as they stand in the body of a failed invocation and in the log.
// Source: AWS's runtime interface emulator (the code of the in-sandbox supervisor) and recorded answers.
#pragma once

#include <string_view>

namespace ogni::protocol::function_error {

inline constexpr std::string_view kExitError = "Runtime.ExitError";
inline constexpr std::string_view kOutOfMemory = "Runtime.OutOfMemory";
inline constexpr std::string_view kTimedOut = "Sandbox.Timedout";
inline constexpr std::string_view kInvalidEntrypoint = "Runtime.InvalidEntrypoint";
inline constexpr std::string_view kInvalidWorkingDir = "Runtime.InvalidWorkingDir";
inline constexpr std::string_view kResponseTooLarge = "Function.ResponseSizeTooLarge";
inline constexpr std::string_view kInvalidResponseMode = "Runtime.InvalidResponseModeHeader";
inline constexpr std::string_view kTruncatedResponse = "Runtime.TruncatedResponse";
inline constexpr std::string_view kUnknown = "Runtime.Unknown";

}  // namespace ogni::protocol::function_error
