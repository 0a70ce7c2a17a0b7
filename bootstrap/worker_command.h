// The command line of a language's worker, and which language a handler is in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bootstrap/language.h"
#include "bootstrap/settings.h"
#include "bootstrap/worker.h"

namespace ogni::bootstrap {

// By the name that OGNI_LANGUAGE gives. Null: there is none.
const Language* language_named(std::string_view name);
// By the path of an interpreter: /usr/bin/python3.11 is the "python3" of the table.
const Language* language_of_interpreter(std::string_view path);

struct HandlerFile {
  const Language* language = nullptr;  // null: there is no such file
  std::string path;
};

// The file of the handler, looked for in the task root by every language's extensions. For `a.b.c` that is a/b.EXT, a.b.EXT,
// then a.EXT; for `a.B::c` also a/B.EXT.
HandlerFile find_handler(const Settings& settings);

// Path of the first of the language's interpreters that is there; empty: none.
std::string find_interpreter(const Language& language, const Settings& settings);

// With the path of a wrapper (exec_wrapper.h): what the wrapper is to be given, and itself in front.
WorkerCommand worker_command(const Language& language, std::string interpreter, const Settings& settings,
                             const std::string& wrapper = {});

// Its interpreters (or extensions), for a message: "python3, python".
std::string list(const Words& words, std::string_view separator);

}  // namespace ogni::bootstrap
