// Guesses what a folder is: its runtime, its handler, and the bootstrap it lacks.
//
//   an executable `bootstrap`      -> provided.al2023
//   shell scripts, no `bootstrap`  -> provided.al2023 with Ogni's default bash bootstrap added
//   Python files                   -> the newest python3.N of the host
//
// Only the top folder is looked at. What the caller says goes before what is guessed.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "package/zip.h"

namespace ogni::package {

inline constexpr char kProvidedRuntime[] = "provided.al2023";

enum class BootstrapPolicy {
  kIfMissing,  // add the default one where a script needs it
  kNever,      // a layer is expected to bring it
};

struct Hints {
  std::string runtime;  // as the caller gave it; empty = to be guessed
  std::string handler;  // likewise
  BootstrapPolicy bootstrap = BootstrapPolicy::kIfMissing;
  std::string interpreters = "/usr/bin";  // where python3.N is looked for
};

struct Guess {
  std::string runtime;
  std::string handler;
  std::vector<ExtraFile> extra;    // to be packed with the folder
  std::vector<std::string> notes;  // sentences for the caller: what was decided that may surprise
};

// Errors: kInvalidArgument when nothing fits or several do; the message says what to do. kIo.
[[nodiscard]] Result<Guess> detect(const std::string& directory, const Hints& hints);

// "python3.11": the newest that `directory` holds and that may be executed; empty if there is none.
std::string newest_python(const std::string& directory);

}  // namespace ogni::package
