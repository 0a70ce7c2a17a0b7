// Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
mod ogni;

use ogni::{Invocation, Runtime, Status};
use std::process::ExitCode;

/// VALUE of {"NAME":"VALUE"}
fn value<'a>(event: &'a [u8], start: &str) -> Option<&'a [u8]> {
    event.strip_prefix(start.as_bytes())?.strip_suffix(b"\"}")
}

fn answer(invocation: Invocation) -> Status {
    let event = invocation.event();
    if let Some(name) = value(event, "{\"name\":\"") {
        let greeting = [b"{\"message\":\"Hello, ".as_slice(), name, b"!\"}"].concat();
        return invocation.respond(&greeting);
    }
    if let Some(message) = value(event, "{\"fail\":\"") {
        let message = String::from_utf8_lossy(message).into_owned();
        return invocation.fail("Example.Failed", &message);
    }
    if event.starts_with(b"{\"context\":") {
        let (id, left) = (invocation.request_id(), invocation.remaining_ms());
        let context = format!("{{\"request_id\":\"{id}\",\"remaining_ms\":{left}}}");
        return invocation.respond(context.as_bytes());
    }
    invocation.echo()
}

fn main() -> ExitCode {
    if let Some(mut runtime) = Runtime::open("hello-rust/1") {
        while let Some(invocation) = runtime.next() {
            if answer(invocation) == Status::Fatal {
                break;
            }
        }
    }
    ExitCode::FAILURE
}
