(* A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails. *)

exception Function_error of string

let calls = ref 0

(* VALUE of {"key":"VALUE"} *)
let text_value key event =
  let prefix = Printf.sprintf "{\"%s\":\"" key and suffix = "\"}" in
  if String.starts_with ~prefix event && String.ends_with ~suffix event then
    let length = String.length event - String.length prefix - String.length suffix in
    Some (String.sub event (String.length prefix) length)
  else None

let handle event =
  match text_value "name" event, text_value "fail" event with
  | Some name, _ -> Printf.sprintf "{\"message\":\"Hello, %s!\"}" name
  | _, Some reason -> raise (Function_error reason)
  | None, None when String.starts_with ~prefix:"{\"context\":" event ->
      Printf.sprintf "{\"request_id\":\"%s\"}" (Sys.getenv "LAMBDA_RUNTIME_AWS_REQUEST_ID")
  | None, None when String.starts_with ~prefix:"{\"count\":" event ->
      incr calls;
      Printf.sprintf "{\"count\":%d}" !calls
  | None, None -> event

let read_all channel =
  let text = Buffer.create 65_536 in
  (try
     while true do
       Buffer.add_channel text channel 1
     done
   with End_of_file -> ());
  Buffer.contents text

let () =
  Printexc.record_backtrace true;
  try print_string (handle (read_all stdin))
  with Function_error reason ->
    Printexc.print_backtrace stderr;
    prerr_endline ("Function_error: " ^ reason);
    exit 1
