package main

// #cgo pkg-config: ogni
// #include <ogni/runtime.h>
// #include <stdlib.h>
import "C"

import (
	"errors"
	"unsafe"
)

type Status int

const (
	Ok          Status = C.OGNI_OK
	Refused     Status = C.OGNI_REFUSED
	Interrupted Status = C.OGNI_INTERRUPTED
	Fatal       Status = C.OGNI_FATAL
	BadArgument Status = C.OGNI_BAD_ARGUMENT
)

// Runtime is the Runtime API of AWS Lambda and Ogni, from libogni; one goroutine uses it at a time.
type Runtime struct{ handle *C.ogni_runtime }

func Open(userAgent string) (*Runtime, error) {
	name := C.CString(userAgent)
	defer C.free(unsafe.Pointer(name))
	handle := C.ogni_open(nil, name)
	if handle == nil {
		return nil, errors.New("AWS_LAMBDA_RUNTIME_API is not an address")
	}
	return &Runtime{handle}, nil
}

func (r *Runtime) Close() { C.ogni_close(r.handle) }

func (r *Runtime) Next() Status { return Status(C.ogni_next(r.handle)) }

// Event is valid until Next is called again: not a copy.
func (r *Runtime) Event() []byte {
	var bytes C.size_t
	first := C.ogni_event(r.handle, &bytes)
	return unsafe.Slice((*byte)(unsafe.Pointer(first)), int(bytes))
}

func (r *Runtime) Respond(body []byte) Status {
	var first *C.char
	if len(body) > 0 {
		first = (*C.char)(unsafe.Pointer(&body[0]))
	}
	return Status(C.ogni_respond(r.handle, first, C.size_t(len(body)), nil))
}

func (r *Runtime) Fail(kind, message string) Status {
	k, m := C.CString(kind), C.CString(message)
	defer C.free(unsafe.Pointer(k))
	defer C.free(unsafe.Pointer(m))
	return Status(C.ogni_fail(r.handle, k, m, nil))
}

func (r *Runtime) RequestID() string { return C.GoString(C.ogni_request_id(r.handle)) }

func (r *Runtime) RemainingMs() int64 { return int64(C.ogni_remaining_ms(r.handle)) }
