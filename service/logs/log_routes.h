// GET /_ogni/functions/{FunctionName}/logs: the log of a function as text, and what comes as it comes.
//
//   tail=N    the last N lines (default 100, at most 10,000)
//   follow=1  then new lines until the client leaves
// Each line is "<ISO time>\t<log stream>\t<text>\n".
#pragma once

#include "service/http/router.h"
#include "service/logs/log_store.h"

namespace ogni::service {

// `logs` outlives the router.
void add_log_routes(http::Router& router, LogStore& logs);

}  // namespace ogni::service
