// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

var calls int

type event struct {
	Name    *string `json:"name"`
	Fail    *string `json:"fail"`
	Context *bool   `json:"context"`
	Count   *bool   `json:"count"`
}

func handle(body []byte) (any, error) {
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, err
	}
	switch {
	case e.Name != nil:
		return map[string]string{"message": "Hello, " + *e.Name + "!"}, nil
	case e.Fail != nil:
		return nil, errors.New(*e.Fail)
	case e.Context != nil:
		return map[string]string{"request_id": os.Getenv("LAMBDA_RUNTIME_AWS_REQUEST_ID")}, nil
	case e.Count != nil:
		calls++
		return map[string]int{"count": calls}, nil
	}
	return json.RawMessage(body), nil
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "FunctionError: %v\n", err)
	os.Exit(1)
}

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	answer, err := handle(body)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		fail(err)
	}
}
