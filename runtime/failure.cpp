#include "runtime/failure.h"

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include "runtime/json_text.h"
#include "runtime/stack_traces.h"
#include "runtime/xray_cause.h"

namespace ogni::runtime {
namespace {

constexpr int kCausesMax = 16;

std::vector<std::string> stack_of(const std::exception_ptr& exception) {
  if (thrown_stack == nullptr) return {};
  const void* object = nullptr;
  static_assert(sizeof object == sizeof exception);
  std::memcpy(static_cast<void*>(&object), static_cast<const void*>(&exception), sizeof object);
  return thrown_stack(object);
}

Response describe(int depth);

void add_cause(Response& failure, const std::exception& exception, int depth) {
  const auto* nested = dynamic_cast<const std::nested_exception*>(&exception);
  if (nested == nullptr || nested->nested_ptr() == nullptr || depth == kCausesMax) return;
  try {
    nested->rethrow_nested();
  } catch (...) {
    failure.caused_by(describe(depth + 1));
  }
}

Response describe(int depth) {
  const std::string type = current_exception_type();
  std::vector<std::string> stack = stack_of(std::current_exception());
  try {
    throw;
  } catch (const std::exception& exception) {
    const char* const text = exception.what();
    Response failure = Response::failure(type, text == nullptr ? "" : text, std::move(stack));
    add_cause(failure, exception, depth);
    return failure;
  } catch (const std::string& text) {
    return Response::failure(type, text, std::move(stack));
  } catch (const char* text) {
    return Response::failure(type, text == nullptr ? "" : text, std::move(stack));
  } catch (...) {
    return Response::failure(type, "the handler threw something that is not a std::exception", std::move(stack));
  }
}

}  // namespace

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> plain(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                          &std::free);
  return status == 0 ? plain.get() : name;
}

std::string current_exception_type() {
  const std::type_info* thrown = abi::__cxa_current_exception_type();
  if (thrown == nullptr) return "unknown";
  std::string name = demangled(thrown->name());
  // What throw_with_nested() throws in libstdc++ and libc++.
  for (const std::string_view wrapper : {"std::_Nested_exception<", "std::__1::__nested<"}) {
    if (!name.starts_with(wrapper) || !name.ends_with('>')) continue;
    name.pop_back();
    name.erase(0, wrapper.size());
    if (name.ends_with(' ')) name.pop_back();
    break;
  }
  return name;
}

Response current_exception_as_failure() { return describe(1); }

std::string failure_json(const Response& failure) {
  std::string json = error_json(failure.error_type(), failure.error_message(), failure.stack_trace());
  if (failure.cause() == nullptr) return json;
  json.pop_back();
  return json + ",\"cause\":" + failure_json(*failure.cause()) + "}";
}

std::string_view failure_xray_cause(Buffer& out, const Response& failure) {
  XrayCause cause(out);
  for (const Response* one = &failure; one != nullptr; one = one->cause()) {
    cause.exception(one->error_type(), one->error_message());
    for (const std::string& line : one->stack_trace()) cause.frame(line);
  }
  return cause.end();
}

}  // namespace ogni::runtime
