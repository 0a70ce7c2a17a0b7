//! The Runtime API of AWS Lambda and Ogni, from libogni. No crate but std.

use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int, c_void};
use std::ptr::null;

#[link(name = "ogni", kind = "static")]
extern "C" {
    fn ogni_open(address: *const c_char, user_agent: *const c_char) -> *mut c_void;
    fn ogni_close(runtime: *mut c_void);
    fn ogni_next(runtime: *mut c_void) -> c_int;
    fn ogni_event(runtime: *const c_void, bytes: *mut usize) -> *const u8;
    fn ogni_respond(runtime: *mut c_void, body: *const u8, bytes: usize, content_type: *const c_char) -> c_int;
    fn ogni_fail(runtime: *mut c_void, kind: *const c_char, message: *const c_char, stack: *const c_char) -> c_int;
    fn ogni_request_id(runtime: *const c_void) -> *const c_char;
    fn ogni_remaining_ms(runtime: *const c_void) -> i64;
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Accepted,
    Refused,
    Fatal,
}

fn status(code: c_int) -> Status {
    match code {
        0 => Status::Accepted,
        1 => Status::Refused,
        _ => Status::Fatal,
    }
}

/// Of one thread: not Send, since it holds a raw pointer.
pub struct Runtime(*mut c_void);

/// One event. It answers by value, so that it cannot answer twice, and keeps the next from being asked for.
pub struct Invocation<'a>(&'a mut Runtime);

impl Runtime {
    pub fn open(user_agent: &str) -> Option<Runtime> {
        let name = CString::new(user_agent).ok()?;
        let handle = unsafe { ogni_open(null(), name.as_ptr()) };
        (!handle.is_null()).then_some(Runtime(handle))
    }

    /// None: the process shall end.
    pub fn next(&mut self) -> Option<Invocation<'_>> {
        (unsafe { ogni_next(self.0) } == 0).then_some(Invocation(self))
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        unsafe { ogni_close(self.0) }
    }
}

impl Invocation<'_> {
    pub fn event(&self) -> &[u8] {
        let mut bytes = 0;
        unsafe {
            let first = ogni_event((self.0).0, &mut bytes);
            std::slice::from_raw_parts(first, bytes)
        }
    }

    pub fn request_id(&self) -> &str {
        unsafe { CStr::from_ptr(ogni_request_id((self.0).0)) }.to_str().unwrap_or("")
    }

    pub fn remaining_ms(&self) -> i64 {
        unsafe { ogni_remaining_ms((self.0).0) }
    }

    pub fn respond(self, body: &[u8]) -> Status {
        status(unsafe { ogni_respond((self.0).0, body.as_ptr(), body.len(), null()) })
    }

    /// Answers with the event itself, which is not copied.
    pub fn echo(self) -> Status {
        let (first, bytes) = (self.event().as_ptr(), self.event().len());
        status(unsafe { ogni_respond((self.0).0, first, bytes, null()) })
    }

    /// A NUL in the texts ends them.
    pub fn fail(self, kind: &str, message: &str) -> Status {
        let text = |s: &str| CString::new(s.split('\0').next().unwrap_or("")).unwrap_or_default();
        status(unsafe { ogni_fail((self.0).0, text(kind).as_ptr(), text(message).as_ptr(), null()) })
    }
}
