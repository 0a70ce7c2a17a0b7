# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
function handler(event,    value) {
  value = substr(event, 10, length(event) - 11)
  if (event ~ /^\{"name":"/) return "{\"message\":\"Hello, " value "!\"}"
  if (event ~ /^\{"fail":"/) return lambda_error("FunctionError", value)
  if (event ~ /^\{"context":/) return "{\"request_id\":\"" LAMBDA["aws_request_id"] "\"}"
  if (event ~ /^\{"count":/) return "{\"count\":" ++CALLS "}"
  return event
}
