/// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
import std.array : appender;
import std.json : JSONValue, parseJSON;
import std.process : environment;
import std.stdio : stderr, stdin, stdout;

int calls;

JSONValue handle(JSONValue event)
{
    if (auto name = "name" in event.object)
        return JSONValue(["message": "Hello, " ~ name.str ~ "!"]);
    if (auto reason = "fail" in event.object)
        throw new Exception(reason.str);
    if ("context" in event.object)
        return JSONValue(["request_id": environment["LAMBDA_RUNTIME_AWS_REQUEST_ID"]]);
    if ("count" in event.object)
        return JSONValue(["count": ++calls]);
    return event;
}

int main()
{
    auto body = appender!(char[]);
    foreach (chunk; stdin.byChunk(65_536))
        body ~= cast(char[]) chunk;
    try
        stdout.write(handle(parseJSON(body.data)).toString());
    catch (Exception failure)
    {
        stderr.writeln(failure.info, "\n", typeid(failure).name, ": ", failure.msg);
        return 1;
    }
    return 0;
}
