(* The Runtime API of AWS Lambda and Ogni, from libogni. *)

type t = nativeint

(* In the order of libogni's codes. *)
type status = Ok | Refused | Interrupted | Fatal | Bad_argument

(* Raises Failure. *)
external open_runtime : string -> t = "ogni_stub_open"
external next : t -> status = "ogni_stub_next"
external event : t -> string = "ogni_stub_event"
external respond : t -> string -> status = "ogni_stub_respond"
external fail : t -> kind:string -> message:string -> status = "ogni_stub_fail"
external request_id : t -> string = "ogni_stub_request_id"
external remaining_ms : t -> int = "ogni_stub_remaining_ms"
