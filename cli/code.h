// Code on this machine, read into the zip that is uploaded.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "package/detect.h"

namespace ogni::cli {

struct CodePackage {
  std::string zip;
  std::string runtime;  // as given or guessed; empty for a zip whose runtime was not given
  std::string handler;  // likewise
  std::vector<std::string> notes;
};

// A folder is searched for its runtime and packed; a zip is taken as it is.
[[nodiscard]] Outcome<CodePackage> load_code(const std::string& path, const package::Hints& hints);
// The content of a layer: a folder as it is, or a zip.
[[nodiscard]] Outcome<std::string> load_layer(const std::string& path);
// Adds to the service's refusal of `zip`, which names no entry, which one it was and why: by unpacking it here.
[[nodiscard]] Failure explained(Failure refusal, const std::string& zip);

}  // namespace ogni::cli
