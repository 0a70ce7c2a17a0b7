## The Runtime API of AWS Lambda and Ogni, from libogni.

{.passC: gorge("pkg-config --cflags ogni").}
{.passL: gorge("pkg-config --libs ogni").}

type
  Handle = distinct pointer
  Status* = enum ok, refused, interrupted, fatal, badArgument
  Runtime* = object  ## of one thread
    handle: Handle

{.push importc, cdecl, header: "<ogni/runtime.h>".}
proc ogni_open(address, userAgent: cstring): Handle
proc ogni_next(runtime: Handle): cint
proc ogni_event(runtime: Handle, bytes: ptr csize_t): cstring
proc ogni_respond(runtime: Handle, body: cstring, bytes: csize_t, contentType: cstring): cint
proc ogni_fail(runtime: Handle, kind, message, stackTrace: cstring): cint
proc ogni_request_id(runtime: Handle): cstring
proc ogni_remaining_ms(runtime: Handle): int64
{.pop.}

proc openRuntime*(userAgent: string): Runtime =
  result = Runtime(handle: ogni_open(nil, userAgent))
  if pointer(result.handle) == nil:
    raise newException(IOError, "AWS_LAMBDA_RUNTIME_API is not an address")

proc next*(runtime: Runtime): Status = Status(ogni_next(runtime.handle))

proc event*(runtime: Runtime): string =
  var bytes: csize_t
  let first = ogni_event(runtime.handle, addr bytes)
  result = newString(int(bytes))
  if bytes > 0: copyMem(addr result[0], first, bytes)

proc respond*(runtime: Runtime, body: string): Status =
  Status(ogni_respond(runtime.handle, body, csize_t(body.len), nil))

proc fail*(runtime: Runtime, kind, message: string): Status =
  Status(ogni_fail(runtime.handle, kind, message, nil))

proc requestId*(runtime: Runtime): string = $ogni_request_id(runtime.handle)

proc remainingMs*(runtime: Runtime): int64 = ogni_remaining_ms(runtime.handle)
