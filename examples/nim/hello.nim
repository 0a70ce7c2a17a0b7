## A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
import std/[json, os]

var calls = 0

proc handle(event: JsonNode): JsonNode =
  if event.hasKey("name"):
    %*{"message": "Hello, " & event["name"].getStr & "!"}
  elif event.hasKey("fail"):
    raise newException(ValueError, event["fail"].getStr)
  elif event.hasKey("context"):
    %*{"request_id": getEnv("LAMBDA_RUNTIME_AWS_REQUEST_ID")}
  elif event.hasKey("count"):
    inc calls
    %*{"count": calls}
  else:
    event

when isMainModule:
  try:
    stdout.write($handle(parseJson(stdin.readAll)))
  except CatchableError as failure:
    quit($failure.name & ": " & failure.msg, 1)
