#include "cli/code.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/system.h"
#include "base/temporary_directory.h"
#include "base/text.h"
#include "catalogue/tree.h"
#include "catalogue/zip_extractor.h"
#include "cli/output.h"
#include "package/zip.h"
#include "protocol/limits.h"

namespace ogni::cli {
namespace {

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

std::unexpected<Failure> unusable(const Error& error) { return stop(ExitCode::kUsage, error.message()); }

Outcome<std::string> read_zip(const std::string& path) {
  auto zip = read_file(path, protocol::limits::kZippedBytesMax);
  if (!zip) {
    if (zip.error().code() == ErrorCode::kTooLarge) {
      return stop(ExitCode::kUsage, fmt::format("'{}' is larger than {} bytes, the most that can be uploaded",
                                                printable(path), protocol::limits::kZippedBytesMax));
    }
    return stop(ExitCode::kUsage, printable(zip.error().message(), 1000));
  }
  if (!zip->starts_with("PK")) {
    return stop(ExitCode::kUsage, "'" + printable(path) + "' is neither a folder nor a zip");
  }
  return std::move(*zip);
}

Outcome<package::Zip> pack(const std::string& directory, std::vector<package::ExtraFile> extra) {
  ProgressLine progress("packing");
  package::ZipOptions options;
  options.extra = std::move(extra);
  options.progress = [&](std::uint64_t done, std::uint64_t total) { progress.show(done, total); };
  auto zip = package::zip_directory(directory, options);
  if (!zip) return unusable(zip.error());
  return std::move(*zip);
}

}  // namespace

Outcome<CodePackage> load_code(const std::string& path, const package::Hints& hints) {
  if (!is_folder(path)) {
    auto zip = read_zip(path);
    if (!zip) return stop(zip.error());
    return CodePackage{.zip = std::move(*zip), .runtime = hints.runtime, .handler = hints.handler, .notes = {}};
  }
  auto guess = package::detect(path, hints);
  if (!guess) return unusable(guess.error());
  auto zip = pack(path, std::move(guess->extra));
  if (!zip) return stop(zip.error());
  CodePackage code{.zip = std::move(zip->bytes),
                   .runtime = std::move(guess->runtime),
                   .handler = std::move(guess->handler),
                   .notes = std::move(guess->notes)};
  if (!zip->left_out.empty()) {
    const std::string& first = zip->left_out.front();
    const std::size_t others = zip->left_out.size() - 1;
    code.notes.push_back("left out of the zip: " + printable(first) +
                         (others == 0 ? "" : fmt::format(" and {} more of its kind", others)));
  }
  return code;
}

Outcome<std::string> load_layer(const std::string& path) {
  if (!is_folder(path)) return read_zip(path);
  auto zip = pack(path, {});
  if (!zip) return stop(zip.error());
  return std::move(zip->bytes);
}

Failure explained(Failure refusal, const std::string& zip) {
  if (refusal.message.find("Could not unzip uploaded file") == std::string::npos) return refusal;
  try {
    const TemporaryDirectory temporary;
    std::filesystem::create_directory(temporary.path() / "tree");
    auto tree = open_at(temporary.descriptor(), "tree", O_RDONLY | O_DIRECTORY);
    if (!tree) return refusal;
    const auto unpacked = catalogue::extract_zip(zip, tree->get(),
                                                 {.unzipped_bytes_max = protocol::limits::kUnzippedBytesMax - 1,
                                                  .entries_max = protocol::limits::kZipEntriesMax});
    (void)catalogue::remove_tree(temporary.descriptor(), "tree");
    if (!unpacked && unpacked.error().code() == ErrorCode::kInvalidArgument) {
      refusal.message += " (" + printable(unpacked.error().message(), 1000) + ")";
    }
  } catch (const std::system_error&) {
    return refusal;  // no place to unpack it: the refusal stands without its reason
  }
  return refusal;
}

}  // namespace ogni::cli
