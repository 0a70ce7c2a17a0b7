// The records of the catalogue. Member names follow the Lambda API model; units are in the names.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/text.h"

namespace ogni::catalogue {

// A zip in the code store.
struct CodeReference {
  std::string sha256_hex;       // of the zip: the key of the store
  std::uint64_t zip_bytes = 0;  // CodeSize
  std::uint64_t unzipped_bytes = 0;
  std::string sha256_base64() const;  // CodeSha256, as the API prints it
};

struct LayerReference {
  std::string arn;  // with version
  CodeReference code;
};

enum class State { kPending, kActive, kInactive, kFailed };
enum class UpdateStatus { kNone, kInProgress, kSuccessful, kFailed };

// What CreateFunction and UpdateFunctionConfiguration set. Validated by the service; the catalogue stores it.
struct FunctionSettings {
  std::string runtime;
  std::string role;
  std::string handler;
  std::string description;
  int timeout_seconds = 3;
  int memory_mb = 128;
  int ephemeral_storage_mb = 512;
  std::string architecture = "x86_64";
  std::string package_type = "Zip";
  std::string tracing_mode = "PassThrough";
  std::optional<std::map<std::string, std::string>> environment;  // absent if never given
  std::vector<LayerReference> layers;
  // A JSON object with the members that are stored and returned but do not act yet (VpcConfig,
  // DeadLetterConfig, KMSKeyArn, FileSystemConfigs, ImageConfig, SnapStart, LoggingConfig, …), as the API
  // returns them.
  std::string inert_json = "{}";
};

// One function at one moment: $LATEST. A value; never changes once handed out.
struct Function {
  std::uint64_t instance = 0;    // never reused: a deleted and recreated function is another one
  std::uint64_t generation = 0;  // counts up with each change of code or settings of this instance
  std::string name;
  std::string version = "$LATEST";
  FunctionSettings settings;
  CodeReference code;
  std::string revision_id;
  WallTime last_modified;
  State state = State::kPending;
  UpdateStatus update_status = UpdateStatus::kNone;
  std::map<std::string, std::string> tags;
};

struct LayerVersion {
  std::string layer_name;
  long long version = 0;
  std::string description;
  std::string license_info;
  std::vector<std::string> compatible_runtimes;
  std::vector<std::string> compatible_architectures;
  WallTime created;
  CodeReference code;
};

}  // namespace ogni::catalogue
