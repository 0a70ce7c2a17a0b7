(* Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came. *)

let starts event prefix =
  String.length event >= String.length prefix && String.sub event 0 (String.length prefix) = prefix

(* VALUE of {"name":"VALUE"} or {"fail":"VALUE"} *)
let value event = String.sub event 9 (String.length event - 11)

let answer runtime event =
  if starts event {|{"name":"|} then Ogni.respond runtime ({|{"message":"Hello, |} ^ value event ^ {|!"}|})
  else if starts event {|{"fail":"|} then Ogni.fail runtime ~kind:"Example.Failed" ~message:(value event)
  else if starts event {|{"context":|} then
    Ogni.respond runtime
      (Printf.sprintf {|{"request_id":"%s","remaining_ms":%d}|} (Ogni.request_id runtime) (Ogni.remaining_ms runtime))
  else Ogni.respond runtime event

let () =
  let runtime = Ogni.open_runtime "hello-ocaml/1" in
  while Ogni.next runtime = Ogni.Ok && answer runtime (Ogni.event runtime) <> Ogni.Fatal do
    ()
  done;
  exit 1
