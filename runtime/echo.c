/* The smallest function: answers every event with itself. Tests build it for other libcs and processors. */
#include <ogni/runtime.h>

int main(void) {
  ogni_runtime *runtime = ogni_open(NULL, NULL);
  if (runtime == NULL) return 1;
  int status = OGNI_OK;
  while (status != OGNI_FATAL && (status = ogni_next(runtime)) == OGNI_OK) {
    size_t bytes = 0;
    const char *event = ogni_event(runtime, &bytes);
    status = ogni_respond(runtime, event, bytes, ogni_content_type(runtime));
  }
  ogni_close(runtime);
  return status == OGNI_INTERRUPTED ? 0 : 1;
}
