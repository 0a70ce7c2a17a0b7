// One entry per language; language.h says what each member means. workers/NAME.EXT is embedded as NAME_worker.
#include "bootstrap/language.h"
#include "embedded/python_worker.h"

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

}  // namespace

std::span<const Language> languages() {
  static const Language kLanguages[] = {
      {.name = "python",
       .extensions = {"py"},
       .interpreters = {"python3"},
       // -B: nothing is written beside the function's code, wherever that lies.
       .arguments = {"-B", "-c", kPythonLoader, "{opt}"},
       .file_name = "python.py",
       .script = embedded::python_worker},
  };
  return kLanguages;
}

}  // namespace ogni::bootstrap
