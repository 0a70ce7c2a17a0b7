#include "service/invocation/failure.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>
#include <csignal>
#include <cstring>

#include "base/digest.h"
#include "base/utf8.h"
#include "protocol/errors.h"
#include "protocol/limits.h"

namespace ogni::service {

namespace {

// Go's names (syscall.Signal.String on Linux).
std::string signal_name(int number) {
  switch (number) {
    case SIGHUP:
      return "hangup";
    case SIGINT:
      return "interrupt";
    case SIGQUIT:
      return "quit";
    case SIGILL:
      return "illegal instruction";
    case SIGTRAP:
      return "trace/breakpoint trap";
    case SIGABRT:
      return "aborted";
    case SIGBUS:
      return "bus error";
    case SIGFPE:
      return "floating point exception";
    case SIGKILL:
      return "killed";
    case SIGUSR1:
      return "user defined signal 1";
    case SIGSEGV:
      return "segmentation fault";
    case SIGUSR2:
      return "user defined signal 2";
    case SIGPIPE:
      return "broken pipe";
    case SIGALRM:
      return "alarm clock";
    case SIGTERM:
      return "terminated";
    case SIGSTKFLT:
      return "stack fault";
    case SIGXCPU:
      return "CPU time limit exceeded";
    case SIGXFSZ:
      return "file size limit exceeded";
    case SIGVTALRM:
      return "virtual timer expired";
    case SIGPROF:
      return "profiling timer expired";
    case SIGIO:
      return "I/O possible";
    case SIGPWR:
      return "power failure";
    case SIGSYS:
      return "bad system call";
    default:
      return fmt::format("signal {}", number);
  }
}

// Go's words for an errno are the kernel's in lower case: "permission denied".
std::string errno_words(int error) {
  std::string words = ::strerrordesc_np(error) != nullptr ? ::strerrordesc_np(error) : "unknown error";
  if (error == ENOEXEC) return "exec format error";
  if (!words.empty() && words[0] >= 'A' && words[0] <= 'Z') words[0] = static_cast<char>(words[0] - 'A' + 'a');
  return words;
}

std::string quoted(std::string_view text) { return boost::json::serialize(boost::json::string(to_utf8(text))); }

}  // namespace

FunctionFailure failure_of_exit(int wait_status, bool out_of_memory) {
  FunctionFailure failure{.error_type = std::string(protocol::function_error::kExitError), .message = {}};
  if (out_of_memory) failure.error_type = protocol::function_error::kOutOfMemory;
  if (WIFSIGNALED(wait_status)) {
    failure.message = fmt::format("Runtime exited with error: signal: {}{}", signal_name(WTERMSIG(wait_status)),
                                  WCOREDUMP(wait_status) ? " (core dumped)" : "");
  } else if (WEXITSTATUS(wait_status) == 0) {
    failure.message = "Runtime exited without providing a reason";
  } else {
    failure.message = fmt::format("Runtime exited with error: exit status {}", WEXITSTATUS(wait_status));
  }
  return failure;
}

FunctionFailure failure_of_start(const sandbox::StartFailed& failed, std::string_view candidates) {
  using Step = sandbox::StartFailed::Step;
  FunctionFailure failure{.error_type = std::string(protocol::function_error::kInvalidEntrypoint), .message = {}};
  switch (failed.step) {
    case Step::kNoProgram:
      failure.message = fmt::format("Couldn't find valid bootstrap(s): [{}]", candidates);
      break;
    case Step::kExecute:
      failure.message = fmt::format("fork/exec {}: {}", failed.path, errno_words(failed.error));
      break;
    case Step::kWorkingDirectory:
      failure.error_type = protocol::function_error::kInvalidWorkingDir;
      failure.message = fmt::format("chdir {}: {}", failed.path, errno_words(failed.error));
      break;
    case Step::kOther:
      failure.error_type = protocol::function_error::kUnknown;
      failure.message = fmt::format("fork/exec {}: {}", failed.path, errno_words(failed.error));
      break;
  }
  return failure;
}

FunctionFailure failure_of_timeout(std::chrono::seconds timeout) {
  return {.error_type = std::string(protocol::function_error::kTimedOut),
          .message = fmt::format("Task timed out after {:.2f} seconds", static_cast<double>(timeout.count()))};
}

FunctionFailure failure_of_oversized_response() {
  return {.error_type = std::string(protocol::function_error::kResponseTooLarge),
          .message = fmt::format("Response payload size exceeded maximum allowed payload size ({} bytes).",
                                 protocol::limits::kPayloadBytesMax)};
}

std::string failure_body(const FunctionFailure& failure, std::string_view request_id) {
  return fmt::format(R"({{"errorType":{},"errorMessage":{}}})", quoted(failure.error_type),
                     quoted(fmt::format("RequestId: {} Error: {}", request_id, failure.message)));
}

std::string stream_failure_body(std::string_view trailer) { return from_base64(trailer).value_or(std::string()); }

std::string oversized_body(const FunctionFailure& failure) {
  return fmt::format(R"({{"errorMessage":{},"errorType":{}}})", quoted(failure.message), quoted(failure.error_type));
}

}  // namespace ogni::service
