//! A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails. It stays with the C
//! library's functions, which do not change from one version of Zig to the next.
const std = @import("std");

extern "c" fn read(descriptor: c_int, buffer: [*]u8, bytes: usize) isize;
extern "c" fn write(descriptor: c_int, buffer: [*]const u8, bytes: usize) isize;
extern "c" fn getenv(name: [*:0]const u8) ?[*:0]const u8;

var event_buffer: [8 << 20]u8 = undefined;
var calls: u8 = 0;

fn readAll() []const u8 {
    var size: usize = 0;
    while (size < event_buffer.len) {
        const got = read(0, event_buffer[size..].ptr, event_buffer.len - size);
        if (got <= 0) break;
        size += @intCast(got);
    }
    return event_buffer[0..size];
}

fn put(descriptor: c_int, text: []const u8) void {
    var rest = text;
    while (rest.len > 0) {
        const written = write(descriptor, rest.ptr, rest.len);
        if (written <= 0) return;
        rest = rest[@intCast(written)..];
    }
}

/// VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
fn textValue(event: []const u8) []const u8 {
    return event[9 .. event.len - 2];
}

pub fn main() u8 {
    const event = readAll();
    if (std.mem.startsWith(u8, event, "{\"name\":\"")) {
        put(1, "{\"message\":\"Hello, ");
        put(1, textValue(event));
        put(1, "!\"}");
    } else if (std.mem.startsWith(u8, event, "{\"fail\":\"")) {
        put(2, "FunctionError: ");
        put(2, textValue(event));
        put(2, "\n");
        return 1;
    } else if (std.mem.startsWith(u8, event, "{\"context\":")) {
        put(1, "{\"request_id\":\"");
        if (getenv("LAMBDA_RUNTIME_AWS_REQUEST_ID")) |id| put(1, std.mem.span(id));
        put(1, "\"}");
    } else if (std.mem.startsWith(u8, event, "{\"count\":")) {
        calls += 1;
        put(1, "{\"count\":");
        put(1, &[_]u8{'0' + calls});
        put(1, "}");
    } else {
        put(1, event);
    }
    return 0;
}
