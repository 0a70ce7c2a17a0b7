\ The gforth worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
\
\ `hello.handler` is word handler of hello.fs (or hello.fth): ( event-addr u -- response-addr u ). The context is in words:
\ aws-request-id, function-name, trace-id, ... ( -- addr u ), deadline-ms and remaining-ms ( -- n ). s" text/plain" response-type
\ names the type of the response. lambda-write ( addr u -- ) sends a piece of a streamed response at once; what the handler
\ returns is then ignored. gforth cannot change its environment: getenv knows the trace id as well.
warnings off

s" /dev/fd/3" r/o bin open-file throw constant ogni-requests
s" /dev/fd/4" w/o bin open-file throw constant ogni-replies

create ogni-line 80 allot
2variable ogni-head   0 0 ogni-head 2!
2variable ogni-event  0 0 ogni-event 2!
2variable ogni-type
variable ogni-handler
variable ogni-streams   false ogni-streams !
variable ogni-serves   false ogni-serves !

: response-type ( addr u -- ) ogni-type 2! ;

\ --- the context ---

\ In text a u the rest of the line that begins with n m and "=", else an empty string.
: ogni-value { a u n m -- addr u }
  begin u m > while
    a u s\" \n" search if drop a - else 2drop u then { end }
    end m > if
      a m n m compare 0= a m + c@ [char] = = and if a m + 1+ end m - 1- exit then
    then
    u end - 1- to u
    a end + 1+ to a
  repeat
  0 0 ;

: ogni-field ( name u -- addr u ) 2>r ogni-head 2@ 2r> ogni-value ;
\ Whatever the handler has made of base.
: ogni-number ( addr u -- rest u n ) base @ >r decimal 0 0 2swap >number 2swap drop r> base ! ;

: aws-request-id s" request_id" ogni-field ;
: invoked-function-arn s" invoked_function_arn" ogni-field ;
: trace-id s" trace_id" ogni-field ;
: client-context s" client_context" ogni-field ;
: cognito-identity s" cognito_identity" ogni-field ;
: tenant-id s" tenant_id" ogni-field ;
: content-type s" content_type" ogni-field ;
: function-name s" AWS_LAMBDA_FUNCTION_NAME" getenv ;
: function-version s" AWS_LAMBDA_FUNCTION_VERSION" getenv ;
: memory-limit-in-mb s" AWS_LAMBDA_FUNCTION_MEMORY_SIZE" getenv ;
: log-group-name s" AWS_LAMBDA_LOG_GROUP_NAME" getenv ;
: log-stream-name s" AWS_LAMBDA_LOG_STREAM_NAME" getenv ;
: deadline-ms ( -- n ) s" deadline_ms" ogni-field ogni-number nip nip ;
: remaining-ms ( -- n ) deadline-ms utime 1000 um/mod nip - 0 max ;
: getenv ( addr u -- addr u ) 2dup s" _X_AMZN_TRACE_ID" compare 0= if 2drop trace-id else getenv then ;

\ --- programs that the handler starts: they do not get what is private, which gforth cannot make close-on-exec ---

: ogni-hidden ( addr u -- addr u ) s\" exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-\n" 2swap s+ ;
: system ( addr u -- ) ogni-hidden 2dup 2>r system 2r> drop free drop ;
: sh ( "line" -- ) 0 parse system ;
: open-pipe ( addr u wfam -- wfileid ior ) >r ogni-hidden r> open-pipe ;

\ --- frames ---

: ogni-put ( addr u -- ) ogni-replies write-file throw ;
\ Not by <# #>, in whose buffer a response may lie.
create ogni-digits-end 24 allot ogni-digits-end 24 + constant ogni-digits-end
: ogni-digits { n -- addr u }
  ogni-digits-end begin 1- n 10 mod [char] 0 + over c! n 10 / to n n 0= until
  ogni-digits-end over - ;
: ogni-send { kind k head h body b -- }
  kind k ogni-put s"  " ogni-put h ogni-digits ogni-put s"  " ogni-put b ogni-digits ogni-put s\" \n" ogni-put
  head h ogni-put body b ogni-put ogni-replies flush-file throw ;

\ So many bytes of the request, in memory of their own.
: ogni-take { n -- addr u }
  n 1 max allocate throw { a }
  a n ogni-requests read-file throw n <> if 0 (bye) then
  a n ;

: ogni-forget ( 2variable -- ) dup 2@ drop ?dup if free drop then 0 0 rot 2! ;

: ogni-receive ( -- )
  ogni-head ogni-forget ogni-event ogni-forget 0 0 ogni-type 2!
  ogni-line 78 ogni-requests read-line throw 0= if 0 (bye) then
  ogni-line swap s"  " search drop 1 /string ogni-number >r 1 /string ogni-number nip nip r>
  ogni-take ogni-head 2!
  ogni-take ogni-event 2! ;

\ --- errors ---

: ogni-log ( addr u -- ) stderr write-file drop ;

: ogni-refuse { kind k type t message m trace r -- }
  s" [ERROR] " ogni-log type t ogni-log s" : " ogni-log message m ogni-log s\" \n" ogni-log trace r ogni-log
  kind k
  s" type=" type t s+ s\" \nmessage_bytes=" s+ m ogni-digits s+ s\" \n" s+
  message m s\" \n" s+ trace r s+
  ogni-send ;

: ogni-give-up { type t message m -- } s" init-error" type t message m s" " ogni-refuse 1 (bye) ;

: ogni-message { n -- addr u }
  n -2 = if "error @ ?dup if count exit then then
  ErrLink begin @ dup while
    dup cell+ @ n = if 2 cells + count exit then
  repeat drop
  s" exception " n abs ogni-digits s+ ;

\ gforth prints where an exception came from; that goes to an unlinked file and is read back.
: ogni-scratch ( -- file )
  s" TMPDIR" getenv dup 0= if 2drop s" /tmp" then s" /ogni-gforth-" s+ utime drop ogni-digits s+
  2dup r/w bin create-file throw -rot delete-file throw ;

create ogni-trace 4096 allot

: ogni-stack ( -- addr u )
  ['] ogni-scratch catch if s" " exit then { file }
  outfile-id { shown }
  file to outfile-id
  ['] dobacktrace catch drop
  shown to outfile-id
  file flush-file drop
  0 0 file reposition-file drop
  ogni-trace 4096 file read-file if drop 0 then
  file close-file drop
  ogni-trace swap ;

\ --- the handler ---

: ogni-last-dot { a u -- n } u begin dup while 1- dup a + c@ [char] . = if exit then repeat drop -1 ;

: ogni-source { root r file f -- addr u }
  s" .fs" 2>r root r s" /" s+ file f s+ 2dup 2r> s+ 2dup file-status nip 0= if 2nip exit then
  2drop s" .fth" s+ 2dup file-status nip 0= if exit then
  s" Runtime.ImportModuleError" s" Unable to load the handler: there is no " 2over s+ ogni-give-up ;

: ogni-load ( -- )
  s" _HANDLER" getenv { name n }
  name n ogni-last-dot { dot }
  dot 1 < dot n 1- = or if
    s" Runtime.MalformedHandlerName" s" Bad handler: it is no script.word: " name n s+ ogni-give-up
  then
  s" LAMBDA_TASK_ROOT" getenv dup 0= if 2drop s" ." then name dot ogni-source
  ['] included catch ?dup if s" Error" rot ogni-message ogni-give-up then
  name dot + 1+ n dot - 1- 2dup find-name dup 0= if
    drop 2>r s" Runtime.HandlerNotFound" s" There is no word " 2r> s+ ogni-give-up
  then
  name>int ogni-handler ! 2drop ;

: ogni-call ( -- addr u ) ogni-event 2@ ogni-handler @ execute ;

: ogni-one-line ( addr u -- ) bounds ?do i c@ dup 10 = swap 13 = or if bl i c! then loop ;
: ogni-type-head ( -- addr u )
  ogni-type 2@ dup if s" content_type=" 2swap s+ 2dup ogni-one-line s\" \n" s+ then ;

: ogni-answer { body b -- }
  ogni-streams @ if s" end" s" " s" " else s" result" ogni-type-head body b then ogni-send ;

: lambda-write { piece n -- }
  ogni-serves @ 0= if s" lambda-write: no invocation is running" exception throw then
  ogni-streams @ if s" chunk" s" " else s" stream" ogni-type-head true ogni-streams ! then piece n ogni-send ;

: ogni-serve ( -- )
  begin
    ogni-receive
    ['] ogni-call catch stdout flush-file drop ?dup if
      >r clearstack s" error" s" Error" r> ogni-message ogni-stack ogni-refuse
    else ogni-answer then
    false ogni-streams !
    clearstack
  again ;

ogni-load
s" ready" s" " s" " ogni-send
true ogni-serves !
ogni-serve
