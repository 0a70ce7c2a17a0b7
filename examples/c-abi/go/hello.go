// Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
package main

import (
	"bytes"
	"fmt"
	"os"
)

func answer(runtime *Runtime, event []byte) Status {
	switch {
	case bytes.HasPrefix(event, []byte(`{"name":"`)):
		return runtime.Respond([]byte(`{"message":"Hello, ` + string(event[9:len(event)-2]) + `!"}`))
	case bytes.HasPrefix(event, []byte(`{"fail":"`)):
		return runtime.Fail("Example.Failed", string(event[9:len(event)-2]))
	case bytes.HasPrefix(event, []byte(`{"context":`)):
		return runtime.Respond([]byte(fmt.Sprintf(`{"request_id":"%s","remaining_ms":%d}`,
			runtime.RequestID(), runtime.RemainingMs())))
	}
	return runtime.Respond(event)
}

func main() {
	runtime, err := Open("hello-go/1")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for runtime.Next() == Ok && answer(runtime, runtime.Event()) != Fatal {
	}
	runtime.Close()
	os.Exit(1)
}
