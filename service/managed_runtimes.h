// The managed runtimes that Ogni answers natively: its own bootstrap with the worker of the language, and an interpreter
// of this host.
#pragma once

#include <string>
#include <string_view>

namespace ogni::service {

// "python3.N", "nodejsN.x", "rubyN.N", "javaN": whether or not this host has the interpreter.
[[nodiscard]] bool is_managed_runtime(std::string_view runtime);

// The path of the interpreter, empty where there is none. python3.N, rubyN.N and javaN: of exactly this version where it
// is installed beside others (/usr/bin/rubyN.N, /usr/lib/jvm/java-N-*). Else, but for Python, the host's own node, ruby
// or java, whichever version that is: a program's version cannot be had without running it. `usr` is "/usr" but in tests.
[[nodiscard]] std::string managed_interpreter(std::string_view runtime, const std::string& usr = "/usr");

// The same in a root file system that is not this host's, by its directory: the path as its functions see it. Looked for in
// /var/lang/bin (AWS's own images), /usr/local/bin and /usr/bin; a link of the root leads within the root.
[[nodiscard]] std::string managed_interpreter_within(int root, std::string_view runtime);

// What to look for to make it available, in words: "/usr/bin/node".
[[nodiscard]] std::string managed_interpreter_words(std::string_view runtime);

}  // namespace ogni::service
