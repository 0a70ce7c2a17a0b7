// What of the stored root file systems several subcommands need.
#pragma once

#include <string>
#include <vector>

#include "catalogue/root_store.h"
#include "cli/exit_code.h"

namespace ogni::cli {

// Where `ogni serve` of this user keeps its data, by --data (`named`), OGNI_DATA, ogni.toml or the default; and whom it would
// run as (--user of the same sources; empty: not said).
struct DataPlace {
  std::string directory;
  std::string user;
};
[[nodiscard]] Outcome<DataPlace> data_place(const std::string& named);

// Those there; makes nothing.
[[nodiscard]] Outcome<std::vector<catalogue::RootInfo>> imported_roots(const std::string& named);

}  // namespace ogni::cli
