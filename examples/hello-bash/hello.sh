# Greets whoever the event names, and returns any other event as it came.
handler() {
  local name_event='^[[:space:]]*\{[[:space:]]*"name"[[:space:]]*:[[:space:]]*"(([^"\]|\\.)*)"[[:space:]]*\}[[:space:]]*$'
  if [[ "$1" =~ $name_event ]]; then
    printf '{"message":"Hello, %s!"}' "${BASH_REMATCH[1]}"
  else
    printf '%s' "$1"
  fi
}
