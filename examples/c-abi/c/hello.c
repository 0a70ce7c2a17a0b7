/* Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came. */
#include <inttypes.h>
#include <ogni/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* VALUE of an event that is {"NAME":"VALUE"}, still escaped as in JSON; NULL if it is another. To be freed. */
static char* value_of(const char* event, size_t bytes, const char* start) {
  const size_t before = strlen(start);
  if (bytes < before + 2 || memcmp(event, start, before) != 0 || memcmp(event + bytes - 2, "\"}", 2) != 0) return NULL;
  char* value = malloc(bytes - before - 1);
  if (value == NULL) return NULL;
  memcpy(value, event + before, bytes - before - 2);
  value[bytes - before - 2] = '\0';
  return value;
}

static int answer(ogni_runtime* runtime) {
  size_t bytes;
  const char* event = ogni_event(runtime, &bytes);
  char text[512];
  char* value;
  int status;
  if ((value = value_of(event, bytes, "{\"name\":\"")) != NULL) {
    status = ogni_stream_begin(runtime, "application/json");
    if (status == OGNI_OK) status = ogni_stream_write(runtime, "{\"message\":\"Hello, ", 19);
    if (status == OGNI_OK) status = ogni_stream_write(runtime, value, strlen(value));
    if (status == OGNI_OK) status = ogni_stream_write(runtime, "!\"}", 3);
    status = ogni_stream_end(runtime);
  } else if ((value = value_of(event, bytes, "{\"fail\":\"")) != NULL) {
    status = ogni_fail(runtime, "Example.Failed", value, NULL);
  } else if (bytes >= 11 && memcmp(event, "{\"context\":", 11) == 0) {
    const int size = snprintf(text, sizeof text, "{\"request_id\":\"%s\",\"remaining_ms\":%" PRId64 "}",
                              ogni_request_id(runtime), ogni_remaining_ms(runtime));
    status = ogni_respond(runtime, text, (size_t)size, NULL);
  } else {
    status = ogni_respond(runtime, event, bytes, NULL);
  }
  free(value);
  return status;
}

int main(void) {
  ogni_runtime* runtime = ogni_open(NULL, "hello-c/1");
  if (runtime == NULL) return 1;
  while (ogni_next(runtime) == OGNI_OK && answer(runtime) != OGNI_FATAL) continue;
  ogni_close(runtime);
  return 1;
}
