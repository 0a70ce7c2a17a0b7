// What begins a streamed response that is to become an HTTP response (function URLs, API Gateway): a JSON object.
// Source: AWS Lambda Developer Guide, "Response streaming"; application/vnd.awslambda.http-integration-response.
#pragma once

#include <string_view>

#include "runtime/buffer.h"

namespace ogni::runtime {

// {"statusCode":…,"headers":{…},"cookies":[…]}. `headers`: lines "Name: value", separated by '\n'; values of one name are
// joined by ", ", those of Set-Cookie become cookies. `cookies`: one in each line. Empty lines are left out. False: a status outside 100 to 999, a name that
// is no token, a value or cookie with control characters; `out` is of no use then.
[[nodiscard]] bool append_prelude_json(Buffer& out, int status, std::string_view headers, std::string_view cookies);

}  // namespace ogni::runtime
