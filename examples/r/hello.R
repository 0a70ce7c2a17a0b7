# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
calls <- 0

text_value <- function(event) substr(event, 10, nchar(event) - 2)

handler <- function(event, context) {
  if (startsWith(event, '{"name":"')) {
    sprintf('{"message":"Hello, %s!"}', text_value(event))
  } else if (startsWith(event, '{"fail":"')) {
    stop(text_value(event))
  } else if (startsWith(event, '{"context":')) {
    sprintf('{"request_id":"%s"}', context$aws_request_id)
  } else if (startsWith(event, '{"count":')) {
    calls <<- calls + 1
    sprintf('{"count":%d}', calls)
  } else {
    event
  }
}
