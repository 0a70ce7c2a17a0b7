#lang racket/base
;; The Racket worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
;;
;; `hello.handler` is procedure `handler` that hello.rkt provides: (handler event context). The event is a string (bytes where
;; it is not JSON), the context a hash. The response is a string or bytes; a second value names its type.
;; ((hash-ref context 'stream) TYPE) is an output port for a streamed response: what is written to it goes out at once, and what
;; the handler returns is then ignored.

;; Racket makes what it opens by a path close-on-exec.
(define-values (requests replies)
  (let* ([arguments (current-command-line-arguments)]
         [given? (= (vector-length arguments) 2)])
    (current-command-line-arguments (vector))
    (values (open-input-file (if given? (vector-ref arguments 0) "/dev/fd/3"))
            (open-output-file (if given? (vector-ref arguments 1) "/dev/fd/4") #:exists 'append))))

;; A process that the handler forked and that came back here ends: the channel is not its own. Racket forks by its foreign
;; interface only: where no module of the handler's has loaded that, nothing needs to be looked up.
(define (process-name) (resolve-path "/proc/self"))
(define owner (process-name))
(define forks? #f)
(define (check-owner)
  (when (and forks? (not (equal? (process-name) owner)))
    (exit 0)))

(define (send kind [head ""] [body #""])
  (check-owner)
  (let ([head (string->bytes/utf-8 head)])
    (write-bytes (bytes-append (string->bytes/utf-8 kind)
                               #" " (bytes-of-number (bytes-length head))
                               #" " (bytes-of-number (bytes-length body))
                               #"\n" head body)
                 replies)
    (flush-output replies)))

(define (bytes-of-number number) (string->bytes/latin-1 (number->string number)))

(define (take count) (if (zero? count) #"" (read-bytes count requests)))

(define (one-line text) (regexp-replace* #rx"[\r\n]" text " "))

(define (refuse kind type message [stack ""])
  (eprintf "[ERROR] ~a: ~a\n~a" type message stack)
  (let ([bytes (string->bytes/utf-8 message)])
    (send kind
          (format "type=~a\nmessage_bytes=~a\n" (one-line type) (bytes-length bytes))
          (bytes-append bytes #"\n" (string->bytes/utf-8 stack)))))

(define (give-up type message [stack ""])
  (refuse "init-error" type message stack)
  (exit 1))

(define (environment name)
  (let ([value (environment-variables-ref (current-environment-variables) (string->bytes/utf-8 name))])
    (and value (bytes->string/utf-8 value #\?))))

(define (type-of raised)
  (let ([name (and (or (exn? raised) (struct? raised)) (object-name raised))])
    (if name (symbol->string name) "Error")))

(define (message-of raised)
  (if (exn? raised) (exn-message raised) (format "~a" raised)))

(define (stack-of raised)
  (if (exn? raised)
      (apply string-append
             (for/list ([frame (continuation-mark-set->context (exn-continuation-marks raised))]
                        #:unless (own-frame? frame))
               (let ([place (cdr frame)])
                 (format "at ~a~a\n" (or (car frame) "?")
                         (if place
                             (format " (~a:~a:~a)" (srcloc-source place) (srcloc-line place) (srcloc-column place))
                             "")))))
      ""))

;; Racket's own and this file's.
(define here (variable-reference->module-source (#%variable-reference)))
(define (own-frame? frame)
  (let ([source (and (cdr frame) (srcloc-source (cdr frame)))])
    (or (equal? source here) (and (path? source) (regexp-match? #rx"/collects/" (path->string source)))
        (not source))))

(define (load-handler name)
  (let ([parts (regexp-match #rx"^(.+)[.]([^.]+)$" name)])
    (unless parts
      (give-up "Runtime.MalformedHandlerName" (format "Bad handler '~a': it is no script.procedure" name)))
    (let ([path (build-path (or (environment "LAMBDA_TASK_ROOT") ".") (string-append (cadr parts) ".rkt"))]
          [procedure (string->symbol (caddr parts))])
      (unless (file-exists? path)
        (give-up "Runtime.ImportModuleError" (format "Unable to load '~a': there is no ~a" (cadr parts) path)))
      (with-handlers ([(lambda (raised) (not (exn:break? raised)))
                       (lambda (raised)
                         (give-up (if (or (exn:fail:read? raised) (exn:fail:syntax? raised))
                                      "Runtime.UserCodeSyntaxError"
                                      (type-of raised))
                                  (message-of raised) (stack-of raised)))])
        (dynamic-require path #f))
      (set! forks? (module-declared? 'ffi/unsafe #f))
      (dynamic-require path procedure
                       (lambda ()
                         (give-up "Runtime.HandlerNotFound"
                                  (format "Handler '~a' is not provided by ~a" procedure path)))))))

(define (type-head type) (if type (format "content_type=~a\n" (one-line type)) ""))

;; The fields of the invocation that runs, the type of its response where it streams, and whether that has begun.
(define running #f)
(define stream-type #f)
(define begun? #f)
(define stream-lock (make-semaphore 1))

(define (check-running fields)
  (unless (eq? fields running) (error "the response has ended")))

(define (write-piece fields piece)
  (call-with-semaphore
   stream-lock
   (lambda ()
     (check-running fields)
     (send (if begun? "chunk" "stream") (if begun? "" (type-head stream-type)) piece)
     (set! begun? #t))))

(define (stream fields type)
  (check-running fields)
  (set! stream-type type)
  (make-output-port 'response always-evt
                    (lambda (bytes start end . _)
                      (when (< start end) (write-piece fields (subbytes bytes start end)))
                      (- end start))
                    void))

;; Nothing is written any more; whether it has streamed.
(define (end-stream)
  (and stream-type
       (call-with-semaphore
        stream-lock
        (lambda ()
          (unless begun? (send "stream" (type-head stream-type)))
          (set! running #f)
          (set! stream-type #f)
          (set! begun? #f)
          #t))))

(define function-name (environment "AWS_LAMBDA_FUNCTION_NAME"))
(define function-version (environment "AWS_LAMBDA_FUNCTION_VERSION"))
(define memory-limit-in-mb (environment "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
(define log-group-name (environment "AWS_LAMBDA_LOG_GROUP_NAME"))
(define log-stream-name (environment "AWS_LAMBDA_LOG_STREAM_NAME"))

(define (context-of fields)
  (define deadline-ms (string->number (hash-ref fields "deadline_ms" "0")))
  (hasheq 'aws-request-id (hash-ref fields "request_id" #f)
          'deadline-ms deadline-ms
          'remaining-time-in-millis
          (lambda () (max 0 (- deadline-ms (inexact->exact (floor (current-inexact-milliseconds))))))
          'invoked-function-arn (hash-ref fields "invoked_function_arn" #f)
          'trace-id (hash-ref fields "trace_id" #f)
          'client-context (hash-ref fields "client_context" #f)
          'identity (hash-ref fields "cognito_identity" #f)
          'tenant-id (hash-ref fields "tenant_id" #f)
          'content-type (hash-ref fields "content_type" #f)
          'stream (lambda (type) (stream fields type))
          'function-name function-name
          'function-version function-version
          'memory-limit-in-mb memory-limit-in-mb
          'log-group-name log-group-name
          'log-stream-name log-stream-name))

(define (bytes-of result)
  (cond [(bytes? result) result]
        [(string? result) (string->bytes/utf-8 result)]
        [(void? result) #""]
        [else (string->bytes/utf-8 (format "~a" result))]))

(define (serve-one handler fields event)
  (set! running fields)
  (environment-variables-set! (current-environment-variables) #"_X_AMZN_TRACE_ID"
                              (let ([id (hash-ref fields "trace_id" #f)]) (and id (string->bytes/utf-8 id))))
  (with-handlers ([(lambda (raised) (not (exn:break? raised)))
                   (lambda (raised)
                     (flush-output)
                     (when begun? (end-stream))
                     (set! stream-type #f)
                     (refuse "error" (type-of raised) (message-of raised) (stack-of raised)))])
    (let-values ([(body more)
                  (call-with-values
                   (lambda ()
                     (handler (if (equal? (hash-ref fields "content_type" "application/json") "application/json")
                                  (bytes->string/utf-8 event #\uFFFD)
                                  event)
                              (context-of fields)))
                   (lambda (result . more) (values (if stream-type #"" (bytes-of result)) more)))])
      (flush-output)
      (if (end-stream)
          (send "end")
          (send "result" (type-head (and (pair? more) (car more))) body))))
  (set! running #f))

(define (number-of bytes) (string->number (bytes->string/latin-1 bytes)))

(define (position octet bytes start end)
  (let next ([at start])
    (cond [(= at end) #f]
          [(eq? (bytes-ref bytes at) octet) at]
          [else (next (add1 at))])))

;; Lines "name=value", without regular expressions: they are several times as dear.
(define (fields-of head)
  (let next ([start 0] [fields (hash)])
    (let ([end (position 10 head start (bytes-length head))])
      (if end
          (let ([equals (position 61 head start end)])
            (next (add1 end)
                  (if equals
                      (hash-set fields (bytes->string/utf-8 head #\uFFFD start equals)
                                (bytes->string/utf-8 head #\uFFFD (add1 equals) end))
                      fields)))
          fields))))

(define (serve handler)
  (let ([line (read-bytes-line requests)])
    (unless (eof-object? line)
      (let* ([sizes (cdr (regexp-match #rx#"^[a-z]+ ([0-9]+) ([0-9]+)$" line))]
             [head (take (number-of (car sizes)))]
             [event (take (number-of (cadr sizes)))]
             [fields (fields-of head)])
        (serve-one handler fields event)
        (serve handler)))))

(let ([handler (load-handler (or (environment "_HANDLER") ""))])
  (send "ready")
  (serve handler))
