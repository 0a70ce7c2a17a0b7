#!/bin/bash
# runtime/ and bootstrap/ compile without a warning as C++20 with every supported compiler that is here.
# Exit status: 0 fine, 1 not, 77 none of the compilers is here.
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/embedded"
for worker in "$root"/bootstrap/workers/*; do
  case "$worker" in *.cpp | *.h | *.md | *_test.* | */fixtures | *__pycache__) continue ;; esac
  name="$(basename "${worker%%.*}")_worker"
  cmake -DINPUT="$worker" -DOUTPUT="$work/embedded/$name.h" -DVARIABLE="$name" -P "$root/cmake/embed.cmake" || exit 1
done

check() {
  "$1" -std=c++20 -fsyntax-only -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -DOGNI_VERSION='"test"' \
    -I"$root" -I"$root/runtime/include" -I"$work" "$2" || {
    echo "$1: $2" >&2
    return 1
  }
}
export -f check
export root work

tried=0 failed=0
for compiler in g++-12 clang++-14 clang++-19; do
  command -v "$compiler" >/dev/null || continue
  tried=$((tried + 1))
  for source in "$root"/runtime/*.cpp "$root"/bootstrap/*.cpp "$root"/bootstrap/workers/*.cpp \
    "$root"/examples/hello-cpp/main.cpp; do
    case "$source" in *_test.cpp | *_bench.cpp | *_fuzz.cpp) continue ;; esac
    printf '%s\0%s\0' "$compiler" "$source"
  done > "$work/list"
  xargs -0 -n 2 -P "$(nproc)" bash -c 'check "$1" "$2"' check < "$work/list" || failed=1
done
for compiler in gcc-12 clang-14 clang-19; do
  command -v "$compiler" >/dev/null || continue
  for standard in c99 c17; do
    "$compiler" "-std=$standard" -pedantic -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Werror \
      -I"$root/runtime/include" "$root/runtime/echo.c" || failed=1
  done
done
[ "$tried" -gt 0 ] || exit 77
exit "$failed"
