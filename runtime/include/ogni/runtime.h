/* The Runtime API of AWS Lambda and Ogni for every language that can call C.
 *
 *   #include <ogni/runtime.h>
 *
 *   int main(void) {
 *     ogni_runtime *runtime = ogni_open(NULL, NULL);
 *     if (runtime == NULL) return 1;
 *     while (ogni_next(runtime) == OGNI_OK) {
 *       size_t bytes;
 *       const char *event = ogni_event(runtime, &bytes);
 *       if (ogni_respond(runtime, event, bytes, NULL) == OGNI_FATAL) break;
 *     }
 *     ogni_close(runtime);
 *     return 1;
 *   }
 *
 * Link libogni (pkg-config: ogni; CMake: ogni::c, or ogni::c_shared). It needs libc alone.
 *
 * A binding in another language needs five functions: ogni_open, ogni_next, ogni_event, ogni_respond, ogni_fail. All
 * parameters and results are pointers, int, int64_t and size_t. There are no callbacks, no structures to lay out, no
 * variadic functions; nothing throws, and nothing unwinds through these calls.
 *
 * Text. A `const char *` parameter is NUL-terminated UTF-8 unless a size goes with it; NULL is the same as "" where it
 * says "may be NULL". A result is NUL-terminated and never NULL ("" where the platform said nothing); it belongs to the
 * runtime, is not freed by the caller, and is valid until the next ogni_next or ogni_close of that runtime. Parameters
 * are not kept after the call has returned.
 *
 * Threads. A runtime is used by one thread at a time; ogni_interrupt is the exception. Different runtimes are
 * independent, so several threads can serve at once, each with a runtime of its own (see ogni_max_concurrency).
 *
 * Errors. Functions that return int return one of the OGNI_ status codes. What went wrong is said in one line on
 * stderr, which is the function's log.
 */
#ifndef OGNI_RUNTIME_H
#define OGNI_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define OGNI_API __attribute__((visibility("default")))
#else
#define OGNI_API
#endif

/* Status codes. New ones may be added; treat an unknown one as OGNI_FATAL. */
#define OGNI_OK 0
/* The platform refused the answer (too late, too large, not its turn). It is logged; go on with ogni_next. */
#define OGNI_REFUSED 1
/* ogni_interrupt was called, or SIGTERM came after ogni_catch_sigterm. End the process with status 0. */
#define OGNI_INTERRUPTED 2
/* The platform failed, is gone, or memory is exhausted. End the process with a status other than 0. */
#define OGNI_FATAL 3
/* A null or wrong parameter, or a call at the wrong time, for example a second answer. Nothing was done. */
#define OGNI_BAD_ARGUMENT 4

typedef struct ogni_runtime ogni_runtime;

/* "0.1.0": the version of the library that runs, which need not be that of this header. */
OGNI_API const char* ogni_version(void);

/* --- Life --- */

/* A runtime with a connection of its own, made at the first call that needs it.
 * `address`: "host:port", the host a number or localhost; may be NULL: the variable AWS_LAMBDA_RUNTIME_API, as the
 *   platform sets it.
 * `user_agent`: names the runtime to the platform, "my-lisp/1.0"; may be NULL.
 * NULL: no such address, or no memory. To be closed with ogni_close. */
OGNI_API ogni_runtime* ogni_open(const char* address, const char* user_agent);

/* Closes the connection and frees everything. `runtime` may be NULL. */
OGNI_API void ogni_close(ogni_runtime* runtime);

/* How many invocations the platform gives to this process at once: AWS_LAMBDA_MAX_CONCURRENCY, 1 where it is not set.
 * A program that can serve several at once runs so many threads, each with a runtime. Serving one at a time is always
 * correct. */
OGNI_API int ogni_max_concurrency(void);

/* --- One invocation after the other --- */

/* Waits for the next invocation, without limit: the platform may freeze the process meanwhile. Every invocation is
 * to be answered before the next call: ogni_respond, ogni_fail, ogni_fail_json, or a stream.
 * Puts the trace id into the environment variable _X_AMZN_TRACE_ID, or removes the variable where there is none,
 * unless ogni_max_concurrency() is above 1.
 * OGNI_OK: there is one. OGNI_INTERRUPTED, OGNI_FATAL: leave the loop.
 * OGNI_BAD_ARGUMENT: a stream has not been ended. */
OGNI_API int ogni_next(ogni_runtime* runtime);

/* The event: any bytes, usually JSON. `*bytes` (may be NULL) gets its size. A NUL follows the last byte. It stays
 * valid, unchanged, while the invocation is answered, so that it can be the answer. */
OGNI_API const char* ogni_event(const ogni_runtime* runtime, size_t* bytes);

/* Answers the invocation. `body` may be NULL where `bytes` is 0. `content_type` may be NULL: application/json.
 * OGNI_OK, OGNI_REFUSED, OGNI_FATAL, OGNI_BAD_ARGUMENT. */
OGNI_API int ogni_respond(ogni_runtime* runtime, const char* body, size_t bytes, const char* content_type);

/* Answers the invocation with a function error, {"errorMessage":…,"errorType":…,"stackTrace":[…]}. The process goes on.
 * `type`: a name such as "Order.Invalid". `message`, `stack_trace`: may be NULL. The lines of the stack trace are
 * separated by '\n', innermost first. Bytes that are not UTF-8 become U+FFFD. Results as ogni_respond. */
OGNI_API int ogni_fail(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace);

/* As ogni_fail with a body of one's own, which the caller gets as it is; it should be a JSON object with the members
 * above. */
OGNI_API int ogni_fail_json(ogni_runtime* runtime, const char* type, const char* json, size_t bytes);

/* --- About the invocation --- */

OGNI_API const char* ogni_request_id(const ogni_runtime* runtime);
/* As the caller addressed it, with the version or alias if one was named. */
OGNI_API const char* ogni_invoked_function_arn(const ogni_runtime* runtime);
OGNI_API const char* ogni_trace_id(const ogni_runtime* runtime);         /* X-Ray */
OGNI_API const char* ogni_client_context(const ogni_runtime* runtime);   /* JSON */
OGNI_API const char* ogni_cognito_identity(const ogni_runtime* runtime); /* JSON */
OGNI_API const char* ogni_tenant_id(const ogni_runtime* runtime);
OGNI_API const char* ogni_content_type(const ogni_runtime* runtime); /* of the event */
/* When the platform ends the invocation: milliseconds since 1970-01-01 UTC; 0 where it did not say. */
OGNI_API int64_t ogni_deadline_ms(const ogni_runtime* runtime);
/* Milliseconds until then; 0 when that time has passed. */
OGNI_API int64_t ogni_remaining_ms(const ogni_runtime* runtime);

/* --- About the function; the same for the life of the process, also before ogni_next --- */

OGNI_API const char* ogni_function_name(const ogni_runtime* runtime);
OGNI_API const char* ogni_function_version(const ogni_runtime* runtime);
OGNI_API const char* ogni_log_group(const ogni_runtime* runtime);
OGNI_API const char* ogni_log_stream(const ogni_runtime* runtime);
OGNI_API int ogni_memory_mb(const ogni_runtime* runtime); /* 0 where the platform did not say */

/* All text above by number, with its size: one function to bind instead of eleven, and no strlen. */
#define OGNI_REQUEST_ID 0
#define OGNI_INVOKED_FUNCTION_ARN 1
#define OGNI_TRACE_ID 2
#define OGNI_CLIENT_CONTEXT 3
#define OGNI_COGNITO_IDENTITY 4
#define OGNI_TENANT_ID 5
#define OGNI_CONTENT_TYPE 6
#define OGNI_FUNCTION_NAME 7
#define OGNI_FUNCTION_VERSION 8
#define OGNI_LOG_GROUP 9
#define OGNI_LOG_STREAM 10
/* "" for an unknown number. `bytes` may be NULL. */
OGNI_API const char* ogni_text(const ogni_runtime* runtime, int which, size_t* bytes);

/* --- A streamed response: begin, any number of writes, then end or fail --- */

/* Nothing is sent before the first byte. `content_type` may be NULL: application/octet-stream.
 * OGNI_OK, OGNI_BAD_ARGUMENT, OGNI_FATAL. */
OGNI_API int ogni_stream_begin(ogni_runtime* runtime, const char* content_type);

/* As ogni_stream_begin for function URLs and API Gateway: the caller gets an HTTP response.
 * `status`: 100 to 999. `headers`: lines "Name: value", separated by '\n'; may be NULL. `cookies`: one in each line,
 * as in Set-Cookie; may be NULL. */
OGNI_API int ogni_stream_begin_http(ogni_runtime* runtime, int status, const char* headers, const char* cookies);

/* As ogni_stream_begin_http with the prelude as a JSON object, {"statusCode":200,"headers":{…},"cookies":[…]}. */
OGNI_API int ogni_stream_begin_prelude(ogni_runtime* runtime, const char* json, size_t bytes);

/* Sends bytes on their way. Returns when the kernel has taken them, so it waits while the platform reads more slowly
 * than the function writes. OGNI_OK; OGNI_REFUSED: nobody takes more: stop and call ogni_stream_end;
 * OGNI_FATAL; OGNI_BAD_ARGUMENT. */
OGNI_API int ogni_stream_write(ogni_runtime* runtime, const char* data, size_t bytes);

/* The response is complete. Results as ogni_respond. */
OGNI_API int ogni_stream_end(ogni_runtime* runtime);

/* The invocation failed. Before the first byte the caller gets what ogni_fail gives; later the caller gets the bytes so
 * far and the error after them, of which there is room for 2800 bytes of JSON then: a longer one comes without its
 * stack, and with a part of its message; one of ogni_stream_fail_json with its type only. Parameters and results as
 * ogni_fail. */
OGNI_API int ogni_stream_fail(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace);
OGNI_API int ogni_stream_fail_json(ogni_runtime* runtime, const char* type, const char* json, size_t bytes);

/* --- Initialisation and snapshots --- */

/* Initialisation failed: to be called instead of the first ogni_next. Then end the process with a status other than 0.
 * Parameters as ogni_fail. OGNI_BAD_ARGUMENT also while an invocation is under way. */
OGNI_API int ogni_init_error(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace);
OGNI_API int ogni_init_error_json(ogni_runtime* runtime, const char* type, const char* json, size_t bytes);

/* 1 where a snapshot of the initialised process will be taken (SnapStart), else 0. Where it is 1, before ogni_next:
 *   run what has to happen before the snapshot (close connections, …); if that fails, ogni_init_error with type
 *     "Runtime.BeforeSnapshotError", and exit with 64;
 *   ogni_restore_next: returns after the snapshot has been restored, perhaps on another machine, hours later;
 *   run what has to happen after that (connect, new random seeds); if that fails, ogni_restore_error with type
 *     "Runtime.AfterRestoreError", and exit with 65. */
OGNI_API int ogni_is_snapshot(void);

/* Waits until the process has been restored. OGNI_OK at once where ogni_is_snapshot() is 0. The context is empty
 * afterwards. OGNI_OK, OGNI_REFUSED (this platform takes no snapshot: go on), OGNI_INTERRUPTED, OGNI_FATAL. */
OGNI_API int ogni_restore_next(ogni_runtime* runtime);

/* What is to run after a restore has failed. Parameters as ogni_fail; OGNI_BAD_ARGUMENT as ogni_init_error. */
OGNI_API int ogni_restore_error(ogni_runtime* runtime, const char* type, const char* message, const char* stack_trace);

/* --- Shutdown --- */

/* Makes a waiting ogni_next, or the next one, return OGNI_INTERRUPTED. An invocation that has arrived is served first.
 * From any thread, and from a signal handler. `runtime` must not be closed meanwhile. */
OGNI_API void ogni_interrupt(ogni_runtime* runtime);

/* From now on SIGTERM, by which the platform announces the end of the environment, interrupts this runtime. After
 * OGNI_INTERRUPTED the process has 500 ms to end in order (2 s with external extensions). One runtime of a process: a
 * second gets OGNI_FATAL. ogni_close gives SIGTERM its former meaning. OGNI_OK, OGNI_BAD_ARGUMENT, OGNI_FATAL. */
OGNI_API int ogni_catch_sigterm(ogni_runtime* runtime);

/* --- Log --- */

#define OGNI_LOG_TRACE 0
#define OGNI_LOG_DEBUG 1
#define OGNI_LOG_INFO 2
#define OGNI_LOG_WARN 3
#define OGNI_LOG_ERROR 4
#define OGNI_LOG_FATAL 5

/* One entry of the function's log. Where AWS_LAMBDA_LOG_FORMAT is JSON: an object with timestamp, level, message and
 * request id; else a line with the same. Entries below AWS_LAMBDA_LOG_LEVEL are dropped; where that is not set, those
 * below INFO in JSON, and none in text.
 * Written with one system call, to the platform's socket _LAMBDA_TELEMETRY_LOG_FD_PROVIDER_SOCKET (JSON then) or its
 * descriptor _LAMBDA_TELEMETRY_LOG_FD where there is one, else to stderr.
 * `runtime` may be NULL: no request id then. */
OGNI_API void ogni_log(const ogni_runtime* runtime, int level, const char* message, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
