// The languages that have a worker in workers/, and how each is started. workers/table.cpp is the list: a new language
// is a file beside it and one entry.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "bootstrap/report.h"

namespace ogni::bootstrap {

// Unused places are null.
using Words = std::array<const char*, 10>;

struct Language {
  const char* name;  // OGNI_LANGUAGE
  // Of the handler's file, without the dot: `hello.handler` is served by "sh" where hello.sh is in the task root.
  Words extensions;
  // Where not null: a file with this extension in the task root or its lib/ serves handlers of the form Class::method.
  const char* archive_extension = nullptr;
  // Names of programs, the best first; OGNI_INTERPRETER is one of them if it is so called but for digits at the end.
  Words interpreters;
  // What follows the interpreter on the command line. Replaced within a word: {script} by a path that can be read from
  // start to end, again and again; {directory} by the directory that it lies in (kFile); {opt} by where layers are;
  // {requests} and {replies}, each a word, by paths of the private pipes. Where these are named, the embedded worker
  // opens them by itself, close-on-exec: it inherits neither, and nothing needs hiding from programs that the handler
  // starts.
  Words arguments;
  // The same where a wrapper (exec_wrapper.h) gets the command line, if that differs: wrappers put words of their own
  // before the last one, which must be the script.
  Words wrapped_arguments = {};
  // A file of this name in /opt/ogni/workers/ is used instead of the embedded one.
  const char* file_name;
  std::string_view script;
  // kMemory: {script} is /proc/self/fd/5; also the interpreter may read descriptor 5. kFile: a file of the name above
  // in a directory of its own below /tmp, for an interpreter that wants an extension or opens it more than once by
  // name.
  enum class Handover { kMemory, kFile };
  Handover handover = Handover::kMemory;
  // So many empty files in memory are the worker's from descriptor 6 on, to keep output in.
  int memory_files = 0;
  // What the interpreter's last words on stderr say of the error that has ended it, for a language whose worker cannot
  // catch errors: false where they do not tell. Not null: stderr passes through this program.
  bool (*last_words)(std::string_view errors, int wait_status, ErrorReport& report) = nullptr;
  // The same, for a worker that asks by `stderr=yes` for the last lines behind the message of an error.
  bool adds_errors = false;
};

std::span<const Language> languages();

}  // namespace ogni::bootstrap
