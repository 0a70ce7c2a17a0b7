#lang racket/base
; Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
(require json)
(provide handler)

(define calls 0)

(define (answer event context)
  (cond
    [(hash-ref event 'name #f) => (lambda (name) (hasheq 'message (string-append "Hello, " name "!")))]
    [(hash-ref event 'fail #f) => error]
    [(hash-has-key? event 'context) (hasheq 'request_id (hash-ref context 'aws-request-id))]
    [(hash-has-key? event 'count)
     (set! calls (add1 calls))
     (hasheq 'count calls)]
    [else event]))

(define (handler event context)
  (jsexpr->string (answer (string->jsexpr event) context)))
