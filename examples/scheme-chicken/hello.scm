; A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
(import (chicken io) (chicken process-context) (chicken condition) (chicken port) (chicken format))

(define calls 0)

(define (prefix? start text)
  (and (>= (string-length text) (string-length start))
       (string=? start (substring text 0 (string-length start)))))

; VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
(define (text-value event) (substring event 9 (- (string-length event) 2)))

(define (handle event)
  (cond ((prefix? "{\"name\":\"" event) (string-append "{\"message\":\"Hello, " (text-value event) "!\"}"))
        ((prefix? "{\"fail\":\"" event) (error (text-value event)))
        ((prefix? "{\"context\":" event)
         (string-append "{\"request_id\":\"" (get-environment-variable "LAMBDA_RUNTIME_AWS_REQUEST_ID") "\"}"))
        ((prefix? "{\"count\":" event)
         (set! calls (+ calls 1))
         (string-append "{\"count\":" (number->string calls) "}"))
        (else event)))

(condition-case (display (handle (let ((event (read-string))) (if (eof-object? event) "" event))))
  (failure (exn)
    (fprintf (current-error-port) "Error: ~A~%" (get-condition-property failure 'exn 'message))
    (exit 1)))
