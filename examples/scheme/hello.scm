; Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
(define calls 0)

; VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
(define (text-value event) (substring event 9 (- (string-length event) 2)))

(define (handler event context)
  (cond ((string-prefix? "{\"name\":\"" event) (string-append "{\"message\":\"Hello, " (text-value event) "!\"}"))
        ((string-prefix? "{\"fail\":\"" event) (error (text-value event)))
        ((string-prefix? "{\"context\":" event)
         (string-append "{\"request_id\":\"" (assq-ref context 'aws-request-id) "\"}"))
        ((string-prefix? "{\"count\":" event)
         (set! calls (+ calls 1))
         (string-append "{\"count\":" (number->string calls) "}"))
        (else event)))
