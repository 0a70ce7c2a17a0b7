// Small conversions between values and text.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace ogni {

using WallTime = std::chrono::system_clock::time_point;

// "2023-01-01T00:00:00.000+0000": the LastModified of functions, layers and URLs.
std::string to_aws_timestamp(WallTime time);
// "2023-01-01T00:00:00.000Z": log lines and telemetry.
std::string to_iso8601(WallTime time);
// Milliseconds since the Unix epoch, as Lambda-Runtime-Deadline-Ms carries it.
long long to_epoch_ms(WallTime time);

// A random (version 4) UUID in lower case.
std::string make_uuid();

std::string to_hex(std::string_view bytes);
std::string to_lower(std::string_view text);  // ASCII only
bool equals_ignoring_case(std::string_view a, std::string_view b);
// True for valid UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes);
// `text` with control characters and quotes made safe for one line of a log, cut at `bytes_max`.
std::string printable(std::string_view text, size_t bytes_max = 200);

}  // namespace ogni
