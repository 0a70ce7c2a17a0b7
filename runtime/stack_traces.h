// The stack at the throw of an exception. Functions that link ogni::stack_traces have it; for others it is unknown.
#pragma once

#include <string>
#include <vector>

namespace ogni::runtime {

// Lines of the stack at the throw of `exception` (the thrown object), innermost first, if it was this thread's latest;
// else none. Within the catch block of that exception. A throw inside a shared library is not seen; the C++ library's own
// is where it is linked statically, as the CMake target says. Weak: null where ogni::stack_traces is not linked.
__attribute__((weak)) std::vector<std::string> thrown_stack(const void* exception);

}  // namespace ogni::runtime
