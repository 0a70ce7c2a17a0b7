# Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
import std/strutils
import ogni

proc answer(runtime: Runtime, event: string): Status =
  if event.startsWith("{\"name\":\""):
    runtime.respond("{\"message\":\"Hello, " & event[9 .. ^3] & "!\"}")
  elif event.startsWith("{\"fail\":\""):
    runtime.fail("Example.Failed", event[9 .. ^3])
  elif event.startsWith("{\"context\":"):
    runtime.respond("{\"request_id\":\"" & runtime.requestId & "\",\"remaining_ms\":" & $runtime.remainingMs & "}")
  else:
    runtime.respond(event)

let runtime = openRuntime("hello-nim/1")
while runtime.next() == ok:
  if answer(runtime, runtime.event) == fatal: break
quit 1
