#!/bin/bash
# The reference of the library for functions is made without a warning, and has what authors look for.
# Exit status: 0 fine, 1 not, 77 doxygen is not installed, or the headers are not here.
set -uo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
[ -f "$root/runtime/include/ogni/runtime.h" ] || exit 77
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"$root/scripts/reference" "$work" || exit $?

failed=0
for expected in \
  "structogni_1_1Context.html:Until the platform ends the invocation" \
  "namespaceogni.html:Serves invocations until the platform ends the process" \
  "include_2ogni_2runtime_8h.html:Answers the invocation with a function error" \
  "structogni_1_1events_1_1SqsEvent.html:records" \
  "classaws_1_1lambda__runtime_1_1invocation__response.html:An empty content type means application/json"; do
  grep -qF -- "${expected#*:}" "$work/html/${expected%%:*}" || {
    echo "not in ${expected%%:*}: ${expected#*:}" >&2
    failed=1
  }
done
exit "$failed"
