/// Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
import std.algorithm : startsWith;
import std.conv : to;

import ogni;

Status answer(ref Runtime lambda, const(char)[] event)
{
    if (event.startsWith(`{"name":"`))
        return lambda.respond(`{"message":"Hello, ` ~ event[9 .. $ - 2] ~ `!"}`);
    if (event.startsWith(`{"fail":"`))
        return lambda.fail("Example.Failed", event[9 .. $ - 2]);
    if (event.startsWith(`{"context":`))
        return lambda.respond(
            `{"request_id":"` ~ lambda.requestId ~ `","remaining_ms":` ~ lambda.remainingMs.to!string ~ `}`);
    return lambda.respond(event);
}

int main()
{
    auto lambda = Runtime("hello-d/1");
    while (lambda.next() == Status.ok)
        if (answer(lambda, lambda.event()) == Status.fatal)
            break;
    return 1;
}
