# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event. The event is $1
# (and stdin), what is printed is the answer, and a status other than 0 an error with what was printed.
calls=0

refuse() {
  echo "$1"
  return 1
}

handler() {
  local event=$1
  case $event in
    '{"name":"'*)
      event=${event#'{"name":"'}
      printf '{"message":"Hello, %s!"}' "${event%'"}'}"
      ;;
    '{"fail":"'*)
      event=${event#'{"fail":"'}
      refuse "${event%'"}'}"
      ;;
    '{"context":'*) printf '{"request_id":"%s"}' "$LAMBDA_RUNTIME_AWS_REQUEST_ID" ;;
    '{"count":'*) printf '{"count":%d}' "$((++calls))" ;;
    *) printf '%s' "$event" ;;
  esac
}
