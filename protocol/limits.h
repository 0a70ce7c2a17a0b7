// AWS's quotas, with what follows from each. Source: AWS Lambda Developer Guide, "Lambda quotas", and the API model.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace ogni::protocol::limits {

inline constexpr std::uint64_t kKiB = 1024;
inline constexpr std::uint64_t kMiB = 1024 * kKiB;

// Request and response of a synchronous invocation: 6 MiB and 100 bytes, the number that AWS's messages print.
inline constexpr std::size_t kPayloadBytesMax = 6 * kMiB + 100;
// The whole JSON request of CreateFunction, base64 zip included.
inline constexpr std::size_t kCreateRequestBytesMax = 70'167'211;
// Any other control-plane request: far above what the model's limits add up to.
inline constexpr std::size_t kControlRequestBytesMax = 6 * kMiB;
inline constexpr std::size_t kZippedBytesMax = 52'428'800;
inline constexpr std::size_t kUnzippedBytesMax = 262'144'000;  // function and layers together
// Ours: AWS documents no bound on entries; this one keeps a zip of empty files from using up inodes.
inline constexpr std::size_t kZipEntriesMax = 100'000;

inline constexpr int kMemoryMbMin = 128;
inline constexpr int kMemoryMbMax = 10'240;
inline constexpr int kMemoryMbDefault = 128;
inline constexpr int kTimeoutSecondsMax = 900;
inline constexpr int kTimeoutSecondsDefault = 3;
inline constexpr int kEphemeralStorageMbMin = 512;
inline constexpr int kEphemeralStorageMbMax = 10'240;
inline constexpr std::size_t kEnvironmentBytesMax = 4 * kKiB;  // the JSON text of the variables
inline constexpr std::size_t kLayersMax = 5;
inline constexpr std::size_t kFunctionNameCharsMax = 64;
inline constexpr std::size_t kHandlerCharsMax = 128;
inline constexpr std::size_t kDescriptionCharsMax = 256;
inline constexpr std::size_t kLayerNameCharsMax = 140;
inline constexpr std::size_t kCompatibleRuntimesMax = 15;
inline constexpr std::size_t kLicenseInfoCharsMax = 512;
inline constexpr std::size_t kTagsMax = 50;
inline constexpr std::size_t kListPageMax = 50;
inline constexpr std::size_t kClientContextBytesMax = 3583;  // base64 text

inline constexpr std::size_t kConcurrencyDefault = 1000;
inline constexpr std::chrono::seconds kInitTimeout{10};  // on demand
inline constexpr std::size_t kLogTailBytes = 4 * kKiB;   // X-Amz-Log-Result

}  // namespace ogni::protocol::limits
