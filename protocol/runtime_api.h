// Names of the Runtime API, version 2018-06-01.
// Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".
#pragma once

#include <string_view>

namespace ogni::protocol {

inline constexpr std::string_view kNextPath = "/2018-06-01/runtime/invocation/next";
inline constexpr std::string_view kInvocationPathPrefix = "/2018-06-01/runtime/invocation/";
inline constexpr std::string_view kInitErrorPath = "/2018-06-01/runtime/init/error";
inline constexpr std::string_view kRestoreNextPath = "/2018-06-01/runtime/restore/next";
inline constexpr std::string_view kRestoreErrorPath = "/2018-06-01/runtime/restore/error";
inline constexpr std::string_view kPingPath = "/2018-06-01/ping";

namespace header {
inline constexpr std::string_view kRequestId = "Lambda-Runtime-Aws-Request-Id";
inline constexpr std::string_view kDeadlineMs = "Lambda-Runtime-Deadline-Ms";
inline constexpr std::string_view kInvokedFunctionArn = "Lambda-Runtime-Invoked-Function-Arn";
inline constexpr std::string_view kTraceId = "Lambda-Runtime-Trace-Id";
inline constexpr std::string_view kClientContext = "Lambda-Runtime-Client-Context";
inline constexpr std::string_view kCognitoIdentity = "Lambda-Runtime-Cognito-Identity";
inline constexpr std::string_view kTenantId = "Lambda-Runtime-Aws-Tenant-Id";
inline constexpr std::string_view kInvocationId = "Lambda-Runtime-Invocation-Id";
inline constexpr std::string_view kFunctionErrorType = "Lambda-Runtime-Function-Error-Type";
inline constexpr std::string_view kFunctionErrorBody = "Lambda-Runtime-Function-Error-Body";
inline constexpr std::string_view kResponseMode = "Lambda-Runtime-Function-Response-Mode";
inline constexpr std::string_view kXrayErrorCause = "Lambda-Runtime-Function-XRay-Error-Cause";
inline constexpr std::string_view kFeatures = "Lambda-Runtime-Features";
// Ogni's own, with an event: "1" where the answer and the next poll may be sent before the answer is acknowledged, and
// where too large an answer (413) has been told to the caller. AWS never sends it.
inline constexpr std::string_view kPipelining = "Ogni-Runtime-Pipelining";
}  // namespace header

namespace variable {
inline constexpr const char* kRuntimeApi = "AWS_LAMBDA_RUNTIME_API";
inline constexpr const char* kHandler = "_HANDLER";
inline constexpr const char* kTaskRoot = "LAMBDA_TASK_ROOT";
inline constexpr const char* kTraceId = "_X_AMZN_TRACE_ID";
inline constexpr const char* kMaxConcurrency = "AWS_LAMBDA_MAX_CONCURRENCY";
inline constexpr const char* kInitializationType = "AWS_LAMBDA_INITIALIZATION_TYPE";
inline constexpr const char* kFunctionName = "AWS_LAMBDA_FUNCTION_NAME";
inline constexpr const char* kFunctionVersion = "AWS_LAMBDA_FUNCTION_VERSION";
inline constexpr const char* kFunctionMemorySize = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
inline constexpr const char* kLogGroup = "AWS_LAMBDA_LOG_GROUP_NAME";
inline constexpr const char* kLogStream = "AWS_LAMBDA_LOG_STREAM_NAME";
inline constexpr const char* kLogFormat = "AWS_LAMBDA_LOG_FORMAT";
inline constexpr const char* kLogLevel = "AWS_LAMBDA_LOG_LEVEL";
inline constexpr const char* kTelemetryLogFd = "_LAMBDA_TELEMETRY_LOG_FD";
// Where several invocations run at once: a Unix socket, each connection to which takes one process's lines of JSON.
inline constexpr const char* kTelemetryLogSocket = "_LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET";
}  // namespace variable

}  // namespace ogni::protocol
