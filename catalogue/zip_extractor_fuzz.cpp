// Any bytes as a zip: nothing crashes, nothing is left outside, and what is unpacked stays within its limits.
#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "catalogue/tree.h"
#include "catalogue/zip_extractor.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace ogni;
  static const TemporaryDirectory directory;
  const catalogue::ZipLimits limits{.unzipped_bytes_max = 1 << 16, .entries_max = 64};
  if (::mkdirat(directory.descriptor(), "tree", 0700) != 0) std::abort();
  {
    auto tree = open_at(directory.descriptor(), "tree", O_RDONLY | O_DIRECTORY);
    if (!tree) std::abort();
    auto content = catalogue::extract_zip({reinterpret_cast<const char*>(data), size}, tree->get(), limits);
    if (content && (content->unzipped_bytes > limits.unzipped_bytes_max || content->entries > limits.entries_max)) {
      std::abort();
    }
    if (!content && content.error().code() != ErrorCode::kInvalidArgument &&
        content.error().code() != ErrorCode::kTooLarge && content.error().code() != ErrorCode::kNotFound) {
      std::abort();
    }
  }
  if (!catalogue::remove_tree(directory.descriptor(), "tree")) std::abort();
  auto own = open_at(directory.descriptor(), ".", O_RDONLY | O_DIRECTORY);
  if (!own || !catalogue::list_directory(own->get())->empty()) std::abort();
  return 0;
}
