// Notes the stack whenever something is thrown. The linker's --wrap=__cxa_throw, which the CMake target ogni::stack_traces
// brings, sends every throw of the program through here.
#include "runtime/stack_traces.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <unwind.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <typeinfo>

#include "runtime/failure.h"

namespace {

struct Thrown {
  const void* exception = nullptr;
  const std::type_info* type = nullptr;
  std::size_t count = 0;
  std::array<void*, 64> frames;
};
thread_local Thrown latest;

_Unwind_Reason_Code note(_Unwind_Context* context, void* into) {
  auto& thrown = *static_cast<Thrown*>(into);
  int before_instruction = 0;
  // The address after a call may belong to the next function.
  const auto address = _Unwind_GetIPInfo(context, &before_instruction) - (before_instruction == 0 ? 1U : 0U);
  if (address + 1 == 0 || thrown.count == thrown.frames.size()) return _URC_END_OF_STACK;
  thrown.frames[thrown.count++] =
      reinterpret_cast<void*>(address);  // NOLINT(performance-no-int-to-ptr): the unwinder gives numbers
  return _URC_NO_REASON;
}

}  // namespace

extern "C" {

// NOLINTBEGIN(bugprone-reserved-identifier): the names that --wrap makes
[[noreturn]] void __real___cxa_throw(void* exception, std::type_info* type, void (*destructor)(void*));

[[noreturn]] void __wrap___cxa_throw(void* exception, std::type_info* type, void (*destructor)(void*)) {
  latest.exception = exception;
  latest.type = type;
  latest.count = 0;
  _Unwind_Backtrace(note, &latest);
  __real___cxa_throw(exception, type, destructor);
}
// NOLINTEND(bugprone-reserved-identifier)

}  // extern "C"

namespace ogni::runtime {
namespace {

// "main+0x12 (bootstrap)", or "bootstrap+0x1234", which addr2line takes: what the loader knows, and nothing else.
std::string describe_frame(const void* address) {
  char text[64];
  const auto offset_text = [&](const void* base) {
    std::snprintf(text, sizeof text, "+0x%zx",
                  static_cast<std::size_t>(static_cast<const char*>(address) - static_cast<const char*>(base)));
    return text;
  };
  Dl_info info = {};
  if (::dladdr(address, &info) == 0 || info.dli_fname == nullptr) {
    std::snprintf(text, sizeof text, "%p", address);
    return text;
  }
  const char* slash = std::strrchr(info.dli_fname, '/');
  const std::string module = slash == nullptr ? info.dli_fname : slash + 1;
  if (info.dli_sname == nullptr || info.dli_saddr == nullptr) return module + offset_text(info.dli_fbase);
  return demangled(info.dli_sname) + offset_text(info.dli_saddr) + " (" + module + ")";
}

}  // namespace

std::vector<std::string> thrown_stack(const void* exception) {
  std::vector<std::string> lines;
  // A throw that was not seen may have put its exception where an earlier one has been.
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (latest.exception != exception || latest.type == nullptr || type == nullptr || *latest.type != *type) return lines;
  for (std::size_t i = 1; i < latest.count; ++i) lines.push_back(describe_frame(latest.frames[i]));  // after the hook
  return lines;
}

}  // namespace ogni::runtime
