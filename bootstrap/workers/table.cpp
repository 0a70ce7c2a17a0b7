// One entry per language; language.h says what each member means. workers/NAME.EXT is embedded as NAME_worker.
#include <sys/wait.h>

#include "bootstrap/language.h"
#include "embedded/bash_worker.h"
#include "embedded/elixir_worker.h"
#include "embedded/erlang_worker.h"
#include "embedded/gawk_worker.h"
#include "embedded/gforth_worker.h"
#include "embedded/guile_worker.h"
#include "embedded/julia_worker.h"
#include "embedded/lua_worker.h"
#include "embedded/node_worker.h"
#include "embedded/octave_worker.h"
#include "embedded/perl_worker.h"
#include "embedded/php_worker.h"
#include "embedded/prolog_worker.h"
#include "embedded/python_worker.h"
#include "embedded/r_worker.h"
#include "embedded/racket_worker.h"
#include "embedded/raku_worker.h"
#include "embedded/ruby_worker.h"
#include "embedded/sbcl_worker.h"
#include "embedded/tcl_worker.h"
#ifdef OGNI_JAVA_ARCHIVE
#include "embedded/java_archive.h"
#else
#include "embedded/java_worker.h"
#endif

namespace ogni::bootstrap {
namespace {

using Handover = Language::Handover;

// Runs what descriptor 5 holds, under the name that a traceback shall show for it. The argument is where layers are.
constexpr const char* kPythonLoader =
    "import os,sys\n"
    "s=b''\n"
    "while c:=os.read(5,65536):s+=c\n"
    "os.close(5)\n"
    "f='/var/runtime/bootstrap'\n"
    "exec(compile(s,f,'exec'),{'__name__':'ogni_worker','__file__':f,'_options':{'opt':sys.argv[1]}})\n";

// "gawk: /var/task/app.awk:12: fatal: division by zero attempted"; between the line and the kind there may be a record, in
// parentheses. gawk ends with status 2 then. It knows no more: neither the function nor who called it.
bool gawk_last_words(std::string_view errors, int wait_status, ErrorReport& report) {
  if (!WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 2) return false;
  constexpr std::string_view kBegin = "gawk: ";
  while (!errors.empty() && errors.back() == '\n') errors.remove_suffix(1);
  const std::string_view line = errors.substr(errors.rfind('\n') + 1);
  for (const std::string_view kind : {": fatal: ", ": error: ", ") fatal: ", ") error: "}) {
    const std::size_t end = line.find(kind);
    if (!line.starts_with(kBegin) || end == std::string_view::npos) continue;
    report.type = "Fatal";
    report.message = line.substr(end + kind.size());
    const std::string_view place = line.substr(kBegin.size(), end - kBegin.size());
    report.stack_trace = "at " + std::string(place.substr(0, place.find(": (")));
    return true;
  }
  return false;
}

}  // namespace

std::span<const Language> languages() {
  static const Language kLanguages[] = {
      {.name = "python",
       .extensions = {"py"},
       .interpreters = {"python3"},
       // -B: nothing is written beside the function's code, wherever that lies.
       .arguments = {"-B", "-c", kPythonLoader, "{opt}"},
       .wrapped_arguments = {"-B", "{script}"},
       .file_name = "python.py",
       .script = embedded::python_worker},
      {.name = "bash",
       .extensions = {"sh", "bash"},
       .interpreters = {"bash"},
       .arguments = {"{script}"},
       .file_name = "bash.sh",
       .script = embedded::bash_worker,
       .memory_files = 3,
       .adds_errors = true},
      {.name = "node",
       .extensions = {"js", "mjs", "cjs"},
       .interpreters = {"node", "nodejs"},
       .arguments = {"{script}"},
       .file_name = "node.cjs",
       .script = embedded::node_worker,
       .handover = Handover::kFile},
      {.name = "ruby",
       .extensions = {"rb"},
       .interpreters = {"ruby"},
       .arguments = {"{script}"},
       .file_name = "ruby.rb",
       .script = embedded::ruby_worker},
      {.name = "perl",
       .extensions = {"pl", "pm"},
       .interpreters = {"perl"},
       .arguments = {"{script}"},
       .file_name = "perl.pl",
       .script = embedded::perl_worker},
      {.name = "php",
       .extensions = {"php"},
       .interpreters = {"php"},
       // The platform bounds memory and time; errors belong to the log, once.
       .arguments = {"-d", "memory_limit=-1", "-d", "display_errors=stderr", "-d", "log_errors=0", "{script}",
                     "{requests}", "{replies}"},
       .file_name = "php.php",
       .script = embedded::php_worker},
      {.name = "lua",
       .extensions = {"lua"},
       .interpreters = {"lua5.4", "lua5.3", "lua"},
       .arguments = {"{script}"},
       .file_name = "lua.lua",
       .script = embedded::lua_worker},
      {.name = "tcl",
       .extensions = {"tcl"},
       .interpreters = {"tclsh8.7", "tclsh8.6", "tclsh"},
       .arguments = {"{script}", "{requests}", "{replies}"},
       .file_name = "tcl.tcl",
       .script = embedded::tcl_worker},
      {.name = "r",
       .extensions = {"R", "r"},
       .interpreters = {"Rscript"},
       .arguments = {"--vanilla", "{script}", "{requests}", "{replies}"},
       .file_name = "r.R",
       .script = embedded::r_worker},
      {.name = "guile",
       .extensions = {"scm"},
       .interpreters = {"guile-3.0", "guile"},
       .arguments = {"--no-auto-compile", "-q", "{script}"},
       .file_name = "guile.scm",
       .script = embedded::guile_worker},
      {.name = "sbcl",
       .extensions = {"lisp", "cl"},
       .interpreters = {"sbcl"},
       .arguments = {"--script", "{script}"},
       .file_name = "sbcl.lisp",
       .script = embedded::sbcl_worker},
      {.name = "prolog",
       .extensions = {"pro", "prolog"},
       .interpreters = {"swipl"},
       .arguments = {"-q", "{script}", "{requests}", "{replies}"},
       .file_name = "prolog.pro",
       .script = embedded::prolog_worker},
      {.name = "erlang",
       .extensions = {"erl"},
       .interpreters = {"escript"},
       .arguments = {"{script}"},
       .file_name = "erlang.escript",
       .script = embedded::erlang_worker,
       .handover = Handover::kFile},
      {.name = "elixir",
       .extensions = {"ex", "exs"},
       .interpreters = {"elixir"},
       .arguments = {"{script}"},
       .file_name = "elixir.exs",
       .script = embedded::elixir_worker,
       .handover = Handover::kFile},
      {.name = "octave",
       .extensions = {"m"},
       .interpreters = {"octave-cli"},
       .arguments = {"--no-init-file", "--no-site-file", "-q", "{script}", "{requests}", "{replies}"},
       .file_name = "octave.m",
       .script = embedded::octave_worker,
       .handover = Handover::kFile},
      {.name = "racket",
       .extensions = {"rkt"},
       .interpreters = {"racket"},
       .arguments = {"{script}", "{requests}", "{replies}"},
       .file_name = "racket.rkt",
       .script = embedded::racket_worker,
       .handover = Handover::kFile},
      {.name = "raku",
       .extensions = {"raku", "rakumod"},
       .interpreters = {"raku", "rakudo"},
       .arguments = {"{script}", "{requests}", "{replies}"},
       .file_name = "raku.raku",
       .script = embedded::raku_worker},
      {.name = "java",
       .extensions = {"java"},
       .archive_extension = "jar",
       .interpreters = {"java"},
#ifdef OGNI_JAVA_ARCHIVE
       .arguments = {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
                     "--add-opens=java.base/java.util=ALL-UNNAMED", "-cp", "{script}", "OgniWorker"},
       .file_name = "java.jar",
       .script = embedded::java_archive,
#else
       .arguments = {"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
                     "--add-opens=java.base/java.util=ALL-UNNAMED", "{script}"},
       .file_name = "java.java",
       .script = embedded::java_worker,
#endif
       .handover = Handover::kFile},
      {.name = "gawk",
       .extensions = {"awk"},
       .interpreters = {"gawk"},
       .arguments = {"-b", "-f", "{script}", "{requests}", "{replies}"},
       .file_name = "gawk.awk",
       .script = embedded::gawk_worker,
       .last_words = gawk_last_words},
      {.name = "gforth",
       .extensions = {"fs", "fth", "4th"},
       .interpreters = {"gforth-fast", "gforth"},
       .arguments = {"{script}"},
       .file_name = "gforth.fs",
       .script = embedded::gforth_worker},
      {.name = "julia",
       .extensions = {"jl"},
       .interpreters = {"julia"},
       .arguments = {"--startup-file=no", "{script}", "{requests}", "{replies}"},
       .file_name = "julia.jl",
       .script = embedded::julia_worker},
  };
  return kLanguages;
}

}  // namespace ogni::bootstrap
