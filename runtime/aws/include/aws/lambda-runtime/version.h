// The version of the library that runs: Ogni's.
#pragma once

namespace aws {
namespace lambda_runtime {

unsigned get_version_major();
unsigned get_version_minor();
unsigned get_version_patch();
char const* get_version();  // "0.1.0"

}  // namespace lambda_runtime
}  // namespace aws
