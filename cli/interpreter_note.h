// Managed runtimes run on whatever interpreter this host has, which need not be of the version in the runtime's name.
#pragma once

#include <string>
#include <string_view>

namespace ogni::cli {

// "nodejs24.x runs on Node.js 20.20.2 here, …" where the versions differ; empty where they do not, or it cannot be told.
// `words` is what the interpreter says of its version.
[[nodiscard]] std::string interpreter_note(std::string_view runtime, std::string_view words);

// The same of this host's interpreter, which is asked. Empty for runtimes that always have their own version.
[[nodiscard]] std::string host_interpreter_note(const std::string& runtime);

}  // namespace ogni::cli
