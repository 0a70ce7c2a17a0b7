//! A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails. Without a
//! crate for JSON it looks at the text; strings stay escaped as they came.

use std::env;
use std::io::{self, Read, Write};
use std::process::ExitCode;

/// VALUE of an event that is {"key":"VALUE"}.
fn value_of<'a>(event: &'a str, key: &str) -> Option<&'a str> {
    event
        .strip_prefix("{\"")?
        .strip_prefix(key)?
        .strip_prefix("\":\"")?
        .strip_suffix("\"}")
}

fn handle(event: &str, calls: &mut u32) -> Result<String, String> {
    if let Some(name) = value_of(event, "name") {
        return Ok(format!(r#"{{"message":"Hello, {name}!"}}"#));
    }
    if let Some(reason) = value_of(event, "fail") {
        return Err(reason.to_owned());
    }
    if event.starts_with(r#"{"context":"#) {
        let id = env::var("LAMBDA_RUNTIME_AWS_REQUEST_ID").map_err(|e| e.to_string())?;
        return Ok(format!(r#"{{"request_id":"{id}"}}"#));
    }
    if event.starts_with(r#"{"count":"#) {
        *calls += 1;
        return Ok(format!(r#"{{"count":{calls}}}"#));
    }
    Ok(event.to_owned())
}

fn run() -> Result<(), String> {
    let mut event = String::new();
    io::stdin().read_to_string(&mut event).map_err(|e| e.to_string())?;
    let answer = handle(&event, &mut 0)?;
    io::stdout().write_all(answer.as_bytes()).map_err(|e| e.to_string())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("FunctionError: {reason}");
            ExitCode::FAILURE
        }
    }
}
