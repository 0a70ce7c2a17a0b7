/* What OCaml's values need around libogni's calls. */
#include <caml/alloc.h>
#include <caml/fail.h>
#include <caml/memory.h>
#include <caml/mlvalues.h>
#include <ogni/runtime.h>

#define Runtime_val(value) ((ogni_runtime*)Nativeint_val(value))

value ogni_stub_open(value user_agent) {
  CAMLparam1(user_agent);
  ogni_runtime* runtime = ogni_open(NULL, String_val(user_agent));
  if (runtime == NULL) caml_failwith("AWS_LAMBDA_RUNTIME_API is not an address");
  CAMLreturn(caml_copy_nativeint((intnat)runtime));
}

value ogni_stub_next(value runtime) { return Val_int(ogni_next(Runtime_val(runtime))); }

value ogni_stub_event(value runtime) {
  size_t bytes;
  const char* first = ogni_event(Runtime_val(runtime), &bytes);
  return caml_alloc_initialized_string(bytes, first);
}

value ogni_stub_respond(value runtime, value body) {
  return Val_int(ogni_respond(Runtime_val(runtime), String_val(body), caml_string_length(body), NULL));
}

value ogni_stub_fail(value runtime, value kind, value message) {
  return Val_int(ogni_fail(Runtime_val(runtime), String_val(kind), String_val(message), NULL));
}

value ogni_stub_request_id(value runtime) { return caml_copy_string(ogni_request_id(Runtime_val(runtime))); }

value ogni_stub_remaining_ms(value runtime) { return Val_long(ogni_remaining_ms(Runtime_val(runtime))); }
