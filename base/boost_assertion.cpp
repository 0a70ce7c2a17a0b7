// What a failed assertion inside a Boost header does, in every kind of build.
//
// Boost's checked accessors (json::value::get_object, vector indices) only assert. In a build with NDEBUG they would
// read whatever memory lies there, so BOOST_ENABLE_ASSERT_HANDLER keeps the assertions on, and the process ends here.
#include <cstdio>
#include <cstdlib>

namespace boost {

// Declared by <boost/assert.hpp>.
[[noreturn]] void assertion_failed(const char* expression, const char* function, const char* file, long line);
[[noreturn]] void assertion_failed_msg(const char* expression, const char* message, const char* function,
                                       const char* file, long line);

void assertion_failed_msg(const char* expression, const char* message, const char* function, const char* file,
                          long line) {
  std::fprintf(stderr, "assertion failed: %s%s%s in %s (%s:%ld)\n", expression, message[0] == '\0' ? "" : ": ", message,
               function, file, line);
  std::abort();
}

void assertion_failed(const char* expression, const char* function, const char* file, long line) {
  assertion_failed_msg(expression, "", function, file, line);
}

}  // namespace boost
