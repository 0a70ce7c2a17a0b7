\ Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
variable calls   0 calls !

\ VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
: text-value ( addr u -- addr u ) 9 /string 2 - ;

: greeting ( addr u -- addr u ) s\" {\"message\":\"Hello, " 2swap s+ s\" !\"}" s+ ;
: my-id    ( -- addr u ) s\" {\"request_id\":\"" aws-request-id s+ s\" \"}" s+ ;
: counted  ( -- addr u ) 1 calls +!  s\" {\"count\":" calls @ s>d <# #s #> s+ s" }" s+ ;
: refused  ( addr u -- addr u ) exception throw s" " ;

: handler { event u -- addr u }
  event u s\" {\"name\":\"" string-prefix? if event u text-value greeting exit then
  event u s\" {\"fail\":\"" string-prefix? if event u text-value refused exit then
  event u s\" {\"context\":" string-prefix? if my-id exit then
  event u s\" {\"count\":" string-prefix? if counted exit then
  event u ;
