;;; The Guile worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
;;;
;;; `hello.handler` is procedure `handler` of hello.scm: (handler event context). The event is a string (a bytevector where it
;;; is not JSON), the context an association list. The response is a string or a bytevector; a second value names its type.
;;; ((assq-ref context 'stream) TYPE) is an output port for a streamed response: what is written to it, text or bytes, goes out
;;; at each force-output; what the handler returns is then ignored.

(use-modules (ice-9 binary-ports) (ice-9 rdelim) (ice-9 textual-ports) (ice-9 receive)
             (rnrs bytevectors) (srfi srfi-1) (system base compile))

(define (ogni:open descriptor mode)
  ;; Above what a handler closes by number, close-on-exec.
  (let ((port (catch #t
                (lambda ()
                  (let ((high (dup->fdes descriptor 900)))
                    (close-fdes descriptor)
                    (fdopen high mode)))
                (lambda _ (fdopen descriptor mode)))))
    (fcntl port F_SETFD FD_CLOEXEC)
    (setvbuf port 'block 65536)
    port))

(define ogni:requests (ogni:open 3 "rb"))
(define ogni:replies (ogni:open 4 "wb"))

;; A process that the handler forked and that came back here ends: the channel is not its own.
(define ogni:owner (getpid))
(define (ogni:check-owner)
  (if (not (= (getpid) ogni:owner)) (primitive-_exit 0)))

(define (ogni:send kind head body)
  (ogni:check-owner)
  (let ((head-bytes (string-utf8-length head)))
    (put-bytevector ogni:replies
                    (string->utf8 (string-append kind " " (number->string head-bytes) " "
                                                 (number->string (bytevector-length body)) "\n" head)))
    (put-bytevector ogni:replies body)
    (force-output ogni:replies)))

(define (ogni:read-bytes count)
  (if (zero? count) (make-bytevector 0) (get-bytevector-n ogni:requests count)))

;; Of a head, which may hold what the caller has sent.
(define (ogni:text bytes)
  (catch 'decoding-error
    (lambda () (utf8->string bytes))
    (lambda _ ((@ (ice-9 iconv) bytevector->string) bytes "UTF-8" 'substitute))))

;; The fields of a head as an association list.
(define (ogni:fields head)
  (filter-map (lambda (line)
                (let ((equals (string-index line #\=)))
                  (and equals (cons (string->symbol (substring line 0 equals)) (substring line (1+ equals))))))
              (string-split head #\newline)))

(define (ogni:one-line text) (string-map (lambda (c) (if (memv c '(#\newline #\return)) #\space c)) text))

(define (ogni:refuse kind type message stack)
  (format (current-error-port) "[ERROR] ~a: ~a\n~a" type message stack)
  (force-output (current-error-port))
  (ogni:send kind
             (format #f "type=~a\nmessage_bytes=~a\n" (ogni:one-line type) (bytevector-length (string->utf8 message)))
             (string->utf8 (string-append message "\n" stack))))

(define (ogni:give-up type message)
  (ogni:refuse "init-error" type message "")
  (primitive-exit 1))

(define (ogni:message key arguments)
  (catch #t
    (lambda ()
      (string-trim-right
       (call-with-output-string (lambda (port) (print-exception port #f key arguments)))))
    (lambda _ (format #f "~a ~s" key arguments))))

;; The message of what was thrown, without what its printer puts around it.
(define (ogni:describe key arguments)
  (catch #t
    (lambda ()
      (cond ((and (= (length arguments) 1) (string? (car arguments))) (car arguments))
            ((and (>= (length arguments) 3) (string? (cadr arguments)))
             (apply format #f (cadr arguments) (or (caddr arguments) '())))
            (else (ogni:message key arguments))))
    (lambda _ (ogni:message key arguments))))

(define (ogni:stack)
  (let* ((stack (make-stack #t))
         (lines (string-split (call-with-output-string (lambda (port) (display-backtrace stack port))) #\newline)))
    (string-join (filter ogni:handler-frame? lines) "\n" 'suffix)))

(define (ogni:handler-frame? line)
  (not (or (string-null? (string-trim line))
           (any (lambda (own) (string-contains line own))
                '("ogni:" "make-stack" "raise-exception" "with-exception-handler" "ice-9/" "In unknown"
                  "/proc/self/fd/" " (_ ")))))

;; Calls `thunk`; what it throws goes to `failed` as type, message and stack.
(define (ogni:attempt thunk failed)
  (let ((stack ""))
    (catch #t
      thunk
      (lambda (key . arguments)
        (if (eq? key 'quit) (apply throw key arguments))
        (failed (symbol->string key) (ogni:describe key arguments) stack))
      (lambda (key . arguments) (set! stack (ogni:stack))))))

(define (ogni:load name)
  (let ((dot (string-rindex name #\.)))
    (if (or (not dot) (zero? dot))
        (ogni:give-up "Runtime.MalformedHandlerName" (format #f "Bad handler '~a': it is no script.procedure" name)))
    (let* ((root (or (getenv "LAMBDA_TASK_ROOT") "."))
           (path (string-append root "/" (substring name 0 dot) ".scm"))
           (procedure (string->symbol (substring name (1+ dot)))))
      (if (not (file-exists? path))
          (ogni:give-up "Runtime.ImportModuleError" (format #f "Unable to load '~a': there is no ~a" name path)))
      (add-to-load-path root)
      ;; Compiled, so that it is fast and its frames have names.
      (ogni:attempt (lambda () (compile-and-load path #:env (current-module)))
                    (lambda (type message stack)
                      (ogni:refuse "init-error"
                                   (if (equal? type "read-error") "Runtime.UserCodeSyntaxError" type) message stack)
                      (primitive-exit 1)))
      (or (and (module-variable (current-module) procedure) (module-ref (current-module) procedure))
          (ogni:give-up "Runtime.HandlerNotFound"
                        (format #f "Handler '~a' is no procedure of ~a" procedure path))))))

(define (now-ms)
  (let ((now (gettimeofday)))
    (+ (* 1000 (car now)) (quotient (cdr now) 1000))))

(define ogni:function-context
  `((function-name . ,(getenv "AWS_LAMBDA_FUNCTION_NAME"))
    (function-version . ,(getenv "AWS_LAMBDA_FUNCTION_VERSION"))
    (memory-limit-in-mb . ,(getenv "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
    (log-group-name . ,(getenv "AWS_LAMBDA_LOG_GROUP_NAME"))
    (log-stream-name . ,(getenv "AWS_LAMBDA_LOG_STREAM_NAME"))))

(define (ogni:context fields)
  (define deadline-ms (string->number (or (assq-ref fields 'deadline_ms) "0")))
  `((aws-request-id . ,(assq-ref fields 'request_id))
    (deadline-ms . ,deadline-ms)
    (remaining-time-in-millis . ,(lambda () (max 0 (- deadline-ms (now-ms)))))
    (invoked-function-arn . ,(assq-ref fields 'invoked_function_arn))
    (trace-id . ,(assq-ref fields 'trace_id))
    (client-context . ,(assq-ref fields 'client_context))
    (identity . ,(assq-ref fields 'cognito_identity))
    (tenant-id . ,(assq-ref fields 'tenant_id))
    (content-type . ,(assq-ref fields 'content_type))
    (stream . ,(lambda (type) (ogni:stream fields type)))
    ,@(map (lambda (pair) (cons (car pair) (cdr pair))) ogni:function-context)))

(define (ogni:bytes result)
  (cond ((bytevector? result) result)
        ((string? result) (string->utf8 result))
        ((unspecified? result) (make-bytevector 0))
        (else (string->utf8 (format #f "~a" result)))))

;; The fields of the invocation that runs, and where its response streams the port of that and what begins it.
(define ogni:running #f)
(define ogni:port #f)

(define (ogni:type-head type)
  (if type (format #f "content_type=~a\n" (ogni:one-line type)) ""))

(define (ogni:stream fields type)
  (define begun #f)
  (define (write! bytes start count)
    (ogni:check-running fields)
    (let ((piece (make-bytevector count)))
      (bytevector-copy! bytes start piece 0 count)
      (ogni:send (if begun "chunk" "stream") (if begun "" (ogni:type-head type)) piece)
      (set! begun #t)
      count))
  (ogni:check-running fields)
  (if (not ogni:port)
      (let ((port (make-custom-binary-output-port "response" write! #f #f #f)))
        (set-port-encoding! port "UTF-8")
        (setvbuf port 'block 65536)
        (set! ogni:port (cons port (lambda () (if (not begun) (write! #vu8() 0 0)))))))
  (car ogni:port))

(define (ogni:check-running fields)
  (if (not (eq? fields ogni:running)) (error "the response has ended")))

;; Sends what is left in the port, and at least the beginning of the stream where it `must-begin`.
(define (ogni:finish-stream must-begin)
  (let ((port (car ogni:port))
        (begin! (cdr ogni:port)))
    (set! ogni:port #f)
    (force-output port)
    (if must-begin (begin!))))

(define (ogni:serve-one handler fields event)
  (set! ogni:running fields)
  (let ((trace-id (assq-ref fields 'trace_id)))
    (if trace-id (setenv "_X_AMZN_TRACE_ID" trace-id) (unsetenv "_X_AMZN_TRACE_ID")))
  (ogni:attempt
   (lambda ()
     (let ((event (if (equal? (or (assq-ref fields 'content_type) "application/json") "application/json")
                      (utf8->string event)
                      event)))
       (receive (result . more) (handler event (ogni:context fields))
         (if ogni:port
             (begin
               (ogni:finish-stream #t)
               (ogni:send "end" "" (make-bytevector 0)))
             (let ((body (ogni:bytes result)))
               (ogni:send "result" (ogni:type-head (and (pair? more) (car more))) body))))))
   (lambda (type message stack)
     (if ogni:port (catch #t (lambda () (ogni:finish-stream #f)) (const #f)))
     (ogni:refuse "error" type message stack)))
  (set! ogni:running #f))

(catch #t (lambda () (setlocale LC_ALL "C.UTF-8")) (lambda _ #f))
(set-port-encoding! (current-output-port) "UTF-8")
(set-port-encoding! (current-error-port) "UTF-8")
(setvbuf (current-output-port) 'none)
(setvbuf (current-error-port) 'none)
(fluid-set! %default-port-encoding "UTF-8")

(let ((handler (ogni:load (or (getenv "_HANDLER") ""))))
  (ogni:send "ready" "" (make-bytevector 0))
  (let loop ((line (read-line ogni:requests)))
    (if (not (eof-object? line))
        (let* ((words (string-split line #\space))
               (head (ogni:text (ogni:read-bytes (string->number (cadr words)))))
               (event (ogni:read-bytes (string->number (caddr words)))))
          (ogni:serve-one handler (ogni:fields head) event)
          (force-output (current-output-port))
          (loop (read-line ogni:requests))))))
