// A web server as any other: events that are no HTTP requests are POSTed to /events, and a status of 400 or more is an error.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync/atomic"
)

var calls atomic.Int64

type event struct {
	Name    *string `json:"name"`
	Fail    *string `json:"fail"`
	Context *bool   `json:"context"`
	Count   *bool   `json:"count"`
}

type lambdaContext struct {
	RequestID string `json:"request_id"`
}

func events(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch {
	case e.Name != nil:
		json.NewEncoder(w).Encode(map[string]string{"message": "Hello, " + *e.Name + "!"})
	case e.Fail != nil:
		http.Error(w, *e.Fail, http.StatusUnprocessableEntity)
	case e.Context != nil:
		var context lambdaContext
		if err := json.Unmarshal([]byte(r.Header.Get("x-amzn-lambda-context")), &context); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(map[string]string{"request_id": context.RequestID})
	case e.Count != nil:
		fmt.Fprintf(w, `{"count":%d}`, calls.Add(1))
	default:
		w.Write(body)
	}
}

func main() {
	http.HandleFunc("/events", events)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
