// From exceptions to function errors, and from those to JSON.
#pragma once

#include <string>
#include <string_view>

#include "ogni/runtime.hpp"
#include "runtime/buffer.h"

namespace ogni::runtime {

// Within a catch block only: the exception's demangled type, its text, the stack of its throw where it is known
// (stack_traces.h), and the exceptions nested in it.
Response current_exception_as_failure();

// Within a catch block only: the demangled type of the exception, of a nested one that of the outer; "unknown" for one
// that is foreign to C++.
std::string current_exception_type();

// The name of a type as it is written in C++, or as it is where it is none.
std::string demangled(const char* name);

// {"errorMessage":…,"errorType":…,"stackTrace":[…]} and "cause":{…} where there is one.
std::string failure_json(const Response& failure);

// The same for X-Ray, in `out`. See XrayCause.
std::string_view failure_xray_cause(Buffer& out, const Response& failure);

}  // namespace ogni::runtime
