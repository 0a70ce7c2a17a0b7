#!/bin/sh
# A custom runtime in its smallest form, for /bin/sh where that is bash (as on Amazon Linux): the handler
# <script>.<function> is a function of <script>.sh that gets the event as its argument and prints the response.
# Any error ends it, and the platform reports that.
set -euo pipefail

source "$LAMBDA_TASK_ROOT/$(echo "$_HANDLER" | cut -d. -f1).sh"
FUNCTION="$(echo "$_HANDLER" | cut -d. -f2)"
API="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
HEADERS="$(mktemp)"

while true; do
  # The next event; curl waits until there is one.
  EVENT="$(curl -sS -LD "$HEADERS" "$API/next")"
  REQUEST_ID="$(grep -Fi Lambda-Runtime-Aws-Request-Id "$HEADERS" | tr -d '[:space:]' | cut -d: -f2)"

  RESPONSE="$("$FUNCTION" "$EVENT")"

  printf '%s' "$RESPONSE" | curl -sS -o /dev/null --data-binary @- "$API/$REQUEST_ID/response"
done
