#!/bin/bash
# Typed events and the headers for aws-lambda-cpp's users compile without a warning with every supported compiler that is
# here; the latter as C++11, too.
# Exit status: 0 fine, 1 not, 77 none of the compilers is here.
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
warnings=(-Wall -Wextra -Wconversion -Wshadow -Wpedantic -Werror)
version=('-DOGNI_VERSION="1.2.3"' -DOGNI_VERSION_MAJOR=1 -DOGNI_VERSION_MINOR=2 -DOGNI_VERSION_PATCH=3)
includes=(-I"$root" -I"$root/runtime/include" -I"$root/runtime/aws/include")

# As one file: they share most of their headers.
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
for source in "$root"/runtime/events/*.cpp "$root"/runtime/aws/{runtime,logging}.cpp; do
  case "$source" in *_test.cpp | *_bench.cpp | *_fuzz.cpp) ;; *) echo "#include \"$source\"" ;; esac
done > "$work/all.cpp"

tried=0 failed=0
compiles() {
  "$@" || {
    echo "failed: $*" >&2
    failed=1
  }
}
for compiler in g++-12 clang++-14 clang++-19; do
  command -v "$compiler" > /dev/null || continue
  tried=$((tried + 1))
  compiles "$compiler" -std=c++20 -fsyntax-only "${warnings[@]}" "${version[@]}" "${includes[@]}" "$work/all.cpp"
  for level in 0 2; do
    compiles "$compiler" -std=c++11 -fsyntax-only "${warnings[@]}" -DAWS_LAMBDA_LOG=$level "${includes[@]}" \
      "$root/runtime/aws/echo.cpp"
  done
done
[ "$tried" -gt 0 ] || exit 77
exit "$failed"
