/// The Runtime API of AWS Lambda and Ogni, from libogni.
module ogni;

import std.string : fromStringz, toStringz;

enum Status : int { ok = 0, refused = 1, interrupted = 2, fatal = 3, badArgument = 4 }

private extern (C) nothrow @nogc
{
    struct ogni_runtime;
    ogni_runtime* ogni_open(const char* address, const char* userAgent);
    void ogni_close(ogni_runtime*);
    int ogni_next(ogni_runtime*);
    const(char)* ogni_event(const ogni_runtime*, size_t* bytes);
    int ogni_respond(ogni_runtime*, const char* reply, size_t bytes, const char* contentType);
    int ogni_fail(ogni_runtime*, const char* type, const char* message, const char* stackTrace);
    const(char)* ogni_request_id(const ogni_runtime*);
    long ogni_remaining_ms(const ogni_runtime*);
}

/// Of one thread; closed at the end of its scope.
struct Runtime
{
    private ogni_runtime* handle;
    @disable this(this);

    this(string userAgent)
    {
        handle = ogni_open(null, userAgent.toStringz);
        if (handle is null)
            throw new Exception("AWS_LAMBDA_RUNTIME_API is not an address");
    }

    ~this() { ogni_close(handle); }

    Status next() { return cast(Status) ogni_next(handle); }

    /// Valid until the next call of next(): not a copy.
    const(char)[] event()
    {
        size_t bytes;
        const first = ogni_event(handle, &bytes);
        return first[0 .. bytes];
    }

    Status respond(const(char)[] reply)
    {
        return cast(Status) ogni_respond(handle, reply.ptr, reply.length, null);
    }

    Status fail(const(char)[] type, const(char)[] message)
    {
        return cast(Status) ogni_fail(handle, type.toStringz, message.toStringz, null);
    }

    const(char)[] requestId() { return ogni_request_id(handle).fromStringz; }
    long remainingMs() { return ogni_remaining_ms(handle); }
}
