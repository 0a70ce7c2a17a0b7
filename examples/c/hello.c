// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event. It links libogni
// and is its own bootstrap.
#define _GNU_SOURCE
#include <ogni/runtime.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int calls = 0;

static const char kName[] = "{\"name\":\"";
static const char kFail[] = "{\"fail\":\"";

// VALUE of {"name":"VALUE"} or {"fail":"VALUE"}, to be freed; NULL where the event is too short for that.
static char* text_value(const char* event, size_t bytes) {
  const size_t start = strlen(kName);
  return bytes < start + 2 ? NULL : strndup(event + start, bytes - start - 2);
}

static bool begins(const char* event, const char* start) { return strncmp(event, start, strlen(start)) == 0; }

// Frees `text`, of which asprintf(3) has said the length.
static int respond(ogni_runtime* runtime, char* text, int length) {
  if (length < 0) return OGNI_FATAL;
  const int status = ogni_respond(runtime, text, (size_t)length, NULL);
  free(text);
  return status;
}

static int greet(ogni_runtime* runtime, const char* name) {
  char* text;
  const int length = asprintf(&text, "{\"message\":\"Hello, %s!\"}", name);
  return respond(runtime, text, length);
}

static int answer(ogni_runtime* runtime) {
  size_t bytes;
  const char* event = ogni_event(runtime, &bytes);
  char* value = text_value(event, bytes);
  char* text;
  int length;
  int status;
  if (value != NULL && begins(event, kName)) {
    status = greet(runtime, value);
  } else if (value != NULL && begins(event, kFail)) {
    status = ogni_fail(runtime, "FunctionError", value, NULL);
  } else if (begins(event, "{\"context\":")) {
    length = asprintf(&text, "{\"request_id\":\"%s\"}", ogni_request_id(runtime));
    status = respond(runtime, text, length);
  } else if (begins(event, "{\"count\":")) {
    length = asprintf(&text, "{\"count\":%d}", ++calls);
    status = respond(runtime, text, length);
  } else {
    status = ogni_respond(runtime, event, bytes, NULL);
  }
  free(value);
  return status;
}

int main(void) {
  ogni_runtime* runtime = ogni_open(NULL, NULL);
  if (runtime == NULL) return 1;
  while (ogni_next(runtime) == OGNI_OK && answer(runtime) != OGNI_FATAL) {
  }
  ogni_close(runtime);
  return 1;
}
