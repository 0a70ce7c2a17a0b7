;;; The Common Lisp (SBCL) worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
;;;
;;; `hello.handler` is function HANDLER of hello.lisp, of its package or of CL-USER: (handler event context). The event is a
;;; string (octets where it is not JSON), the context a property list. The response is a string or a vector of octets; a
;;; second value names its type. (funcall (getf context :stream) TYPE) is a stream for a streamed response: what is written to
;;; it, text or octets, goes out at each finish-output; what the handler returns is then ignored.

(defpackage :ogni-worker (:use :common-lisp))
(in-package :ogni-worker)

(deftype octets () '(simple-array (unsigned-byte 8) (*)))

(defun c-call (name &rest integers)
  (destructuring-bind (a &optional (b 0) (c 0)) integers
    (ecase name
      (:fcntl (sb-alien:alien-funcall
               (sb-alien:extern-alien "fcntl" (function sb-alien:int sb-alien:int sb-alien:int sb-alien:int)) a b c))
      (:close (sb-alien:alien-funcall (sb-alien:extern-alien "close" (function sb-alien:int sb-alien:int)) a)))))

(defun process-id () (sb-alien:alien-funcall (sb-alien:extern-alien "getpid" (function sb-alien:int))))

(defun set-environment (name value)
  (if value
      (sb-alien:alien-funcall
       (sb-alien:extern-alien "setenv" (function sb-alien:int sb-alien:c-string sb-alien:c-string sb-alien:int))
       name value 1)
      (sb-alien:alien-funcall (sb-alien:extern-alien "unsetenv" (function sb-alien:int sb-alien:c-string)) name)))

;;; Above what a handler closes by number, close-on-exec (1030 is F_DUPFD_CLOEXEC).
(defun move-descriptor (descriptor)
  (let ((high (c-call :fcntl descriptor 1030 900)))
    (cond ((>= high 0) (c-call :close descriptor) high)
          (t descriptor))))

(defvar *requests* (move-descriptor 3))
(defvar *replies* (move-descriptor 4))

(defparameter *forgiving* '(:utf-8 :replacement #\?))
;;; A surrogate is a character here, and has no UTF-8.
(defun octets (text)
  (handler-case (sb-ext:string-to-octets text :external-format :utf-8)
    (error () (sb-ext:string-to-octets text :external-format *forgiving*))))
(defun text (octets &optional (start 0) (end (length octets)))
  (declare (type octets octets) (type fixnum start end) (optimize speed))
  (let ((text (make-string (- end start))))
    (loop for i of-type fixnum from start below end
          do (when (> (aref octets i) 127)
               (return-from text (sb-ext:octets-to-string octets :start start :end end :external-format :utf-8)))
             (setf (schar text (- i start)) (code-char (aref octets i))))
    text))
(defun field-text (octets start end)
  (handler-case (text octets start end)
    (error () (sb-ext:octets-to-string octets :start start :end end :external-format *forgiving*))))
(defun environment (name) (sb-ext:posix-getenv name))

;;; A process that the handler forked and that came back here ends: the channel is not its own.
(defvar *owner* (process-id))
(defun check-owner ()
  (unless (= (process-id) *owner*) (sb-ext:exit :code 0 :abort t)))

;;; Without a stream, which would copy and look at each octet more than once.
(defun write-octets (octets &optional (start 0))
  (declare (type octets octets) (type fixnum start))
  (loop while (< start (length octets))
        do (multiple-value-bind (count problem)
               (sb-sys:with-pinned-objects (octets)
                 (sb-unix:unix-write *replies* octets start (- (length octets) start)))
             (cond (count (incf start (the fixnum count)))
                   ((/= problem sb-unix:eintr) (sb-ext:exit :code 1 :abort t))))))

(defun decimal (number)
  (declare (type fixnum number))
  (let ((digits nil))
    (loop (multiple-value-bind (rest digit) (truncate number 10)
            (push (+ 48 digit) digits)
            (setf number rest))
          (when (zerop number) (return digits)))))

;;; In one piece, but for the rest of a large body.
(defun send (kind head body)
  (declare (type simple-string kind head) (type octets body))
  (check-owner)
  (let* ((head (if (string= head "") #() (octets head)))
         (start (concatenate 'octets (octets kind) #(32) (decimal (length head)) #(32) (decimal (length body)) #(10) head))
         (joined (min (length body) 65536))
         (frame (make-array (+ (length start) joined) :element-type '(unsigned-byte 8))))
    (declare (type octets start frame))
    (replace frame start)
    (replace frame body :start1 (length start) :end2 joined)
    (write-octets frame)
    (when (< joined (length body)) (write-octets body joined))))

;;; Read without a stream, which would poll before it reads.
(declaim (type octets *input*) (type fixnum *input-start* *input-end*))
(defvar *input* (make-array 65536 :element-type '(unsigned-byte 8)))
(defvar *input-start* 0)
(defvar *input-end* 0)

;;; How many octets have come into OCTETS from START on; 0 at the end.
(defun receive-octets (octets start)
  (declare (type octets octets) (type fixnum start))
  (loop
    (multiple-value-bind (count problem)
        (sb-sys:with-pinned-objects (octets)
          (sb-unix:unix-read *requests* (sb-sys:sap+ (sb-sys:vector-sap octets) start) (- (length octets) start)))
      (cond (count (return count))
            ((/= problem sb-unix:eintr) (return 0))))))

(defun read-octets (count)
  (let* ((octets (make-array count :element-type '(unsigned-byte 8)))
         (filled (min count (- *input-end* *input-start*))))
    (replace octets *input* :start2 *input-start* :end2 (+ *input-start* filled))
    (incf *input-start* filled)
    (loop while (< filled count)
          do (let ((more (receive-octets octets filled)))
               (when (zerop more) (sb-ext:exit :code 1 :abort t))
               (incf filled more)))
    octets))

(defun read-octet ()
  (when (= *input-start* *input-end*)
    (setf *input-start* 0 *input-end* (receive-octets *input* 0)))
  (when (< *input-start* *input-end*)
    (prog1 (aref *input* *input-start*) (incf *input-start*))))

;;; The two numbers of a frame's first line; nothing at the end.
(defun read-sizes ()
  (let ((head-bytes 0) (body-bytes 0))
    (declare (type fixnum head-bytes body-bytes))
    (loop for octet = (read-octet)
          do (cond ((null octet) (return nil))
                   ((= octet 10) (return (values head-bytes body-bytes)))
                   ((= octet 32) (setf head-bytes body-bytes body-bytes 0))
                   ((<= 48 octet 57) (setf body-bytes (+ (* 10 body-bytes) (- octet 48))))))))

(defvar *field-names* (make-hash-table :test 'equal))
(defun field-name (name)
  (or (gethash name *field-names*)
      (setf (gethash name *field-names*) (intern (substitute #\- #\_ (string-upcase name)) :keyword))))

;;; The fields of a head as a property list: "request_id=a" is :REQUEST-ID "a".
(defun fields (head)
  (declare (type octets head) (optimize speed))
  (loop with start of-type fixnum = 0
        for end = (position 10 head :start start)
        while end
        for equals = (position 61 head :start start :end end)
        when equals
          collect (field-name (text head start equals))
          and collect (field-text head (1+ equals) end)
        do (setf start (1+ end))))

(defun one-line (text) (substitute-if #\Space (lambda (c) (find c '(#\Newline #\Return))) text))

(defun refuse (kind type message &optional (stack ""))
  (format *error-output* "[ERROR] ~a: ~a~%~a" type message stack)
  (finish-output *error-output*)
  (send kind (format nil "type=~a~%message_bytes=~d~%" (one-line type) (length (octets message)))
        (octets (format nil "~a~%~a" message stack))))

(defun give-up (type message &optional (stack ""))
  (refuse "init-error" type message stack)
  (sb-ext:exit :code 1 :abort t))

;;; This worker's, or of what signals.
(defun own-frame-p (name)
  (let ((symbol (if (consp name) (car (last name)) name)))
    (and (symbolp symbol)
         (or (member symbol '(error signal))
             (member (symbol-package symbol) (list (find-package :ogni-worker) (find-package :sb-kernel)))))))

(defun called-name (frame) (if (consp (first frame)) nil (first frame)))

;;; The frames below the error and above the worker.
(defun stack ()
  (let ((*package* (find-package :common-lisp-user)) (*print-length* 10) (*print-level* 4) (*print-right-margin* 1000))
    (with-output-to-string (out)
      (loop for frame in (sb-debug:list-backtrace :count 60)
            until (eq (called-name frame) 'call-handler)
            unless (own-frame-p (first frame))
              do (let ((line (prin1-to-string frame)))
                   (format out "at ~a~%" (if (> (length line) 300) (subseq line 0 300) line)))))))

(defun type-name (condition)
  (if (typep condition 'simple-error) "Error" (format nil "~a" (type-of condition))))

(defun message (condition)
  (handler-case (princ-to-string condition) (error () "the condition cannot be printed")))

;;; Calls FUNCTION; an error ends it, and goes to FAILED as type, message and stack.
(defun attempt (function failed)
  (block attempt
    (handler-bind ((serious-condition
                     (lambda (condition)
                       (return-from attempt
                         (funcall failed (type-name condition) (message condition)
                                  (handler-case (stack) (error () "")))))))
      (funcall function))))

(defun load-handler (name)
  (let ((dot (position #\. name :from-end t)))
    (unless (and dot (plusp dot))
      (give-up "Runtime.MalformedHandlerName" (format nil "Bad handler '~a': it is no script.function" name)))
    (let ((path (format nil "~a/~a.lisp" (or (environment "LAMBDA_TASK_ROOT") ".") (subseq name 0 dot)))
          (symbol-name (string-upcase (subseq name (1+ dot))))
          (*package* (find-package :common-lisp-user)))
      (unless (probe-file (sb-ext:parse-native-namestring path))
        (give-up "Runtime.ImportModuleError" (format nil "Unable to load '~a': there is no ~a" name path)))
      (attempt (lambda () (load (sb-ext:parse-native-namestring path) :external-format :utf-8))
               (lambda (type message stack)
                 (give-up (if (or (search "READ" type) (search "END-OF-FILE" type)) "Runtime.UserCodeSyntaxError" type)
                          message stack)))
      (or (loop for package in (cons (find-package :common-lisp-user) (list-all-packages))
                for symbol = (find-symbol symbol-name package)
                when (and symbol (fboundp symbol) (not (eq (symbol-package symbol) (find-package :common-lisp)))
                          (not (sb-int:system-package-p (symbol-package symbol))))
                  return symbol)
          (give-up "Runtime.HandlerNotFound"
                   (format nil "Handler '~a' is no function of ~a" (subseq name (1+ dot)) path))))))

(defun now-ms ()
  (multiple-value-bind (seconds microseconds) (sb-ext:get-time-of-day)
    (+ (* 1000 seconds) (floor microseconds 1000))))

(defun type-head (type) (if type (format nil "content_type=~a~%" (one-line type)) ""))

;;; The fields of the invocation that runs, and the stream of its response where it has one.
(defvar *running* nil)
(defvar *stream* nil)

(defun check-running (fields)
  (unless (eq fields *running*) (error "the response has ended")))

;;; A class costs time to make: only where a handler streams.
(defparameter *stream-code*
  '(progn
    (defclass response (sb-gray:fundamental-character-output-stream sb-gray:fundamental-binary-output-stream)
      ((fields :initarg :fields)
       (type :initarg :type)
       (begun :initform nil)
       (buffer :initform (make-array 4096 :element-type '(unsigned-byte 8) :adjustable t :fill-pointer 0))))
    (defun flush (response &optional must-begin)
      (with-slots (fields type begun buffer) response
        (check-running fields)
        (when (or (plusp (length buffer)) (and must-begin (not begun)))
          (let ((piece (coerce buffer 'octets)))
            (setf (fill-pointer buffer) 0)
            (send (if begun "chunk" "stream") (if begun "" (type-head type)) piece)
            (setf begun t)))
        nil))
    (defun put (response octets)
      (with-slots (fields buffer) response
        (check-running fields)
        (loop for octet across octets do (vector-push-extend octet buffer))
        (when (>= (length buffer) 65536) (flush response))))
    (defmethod sb-gray:stream-write-char ((response response) char) (put response (octets (string char))) char)
    (defmethod sb-gray:stream-write-string ((response response) text &optional start end)
      (put response (octets (subseq text (or start 0) end)))
      text)
    (defmethod sb-gray:stream-write-byte ((response response) octet) (put response (vector octet)) octet)
    (defmethod sb-gray:stream-write-sequence ((response response) sequence &optional start end)
      (let ((part (subseq sequence (or start 0) end)))
        (put response (if (stringp part) (octets part) part))
        sequence))
    (defmethod sb-gray:stream-line-column ((response response)) nil)
    (defmethod sb-gray:stream-force-output ((response response)) (flush response))
    (defmethod sb-gray:stream-finish-output ((response response)) (flush response))))

(defun response-stream (fields type)
  (check-running fields)
  (unless (find-class 'response nil)
    (let ((*package* (find-package :ogni-worker))) (eval *stream-code*)))
  (or *stream* (setf *stream* (make-instance 'response :fields fields :type type))))

(defvar *function-name* (environment "AWS_LAMBDA_FUNCTION_NAME"))
(defvar *function-version* (environment "AWS_LAMBDA_FUNCTION_VERSION"))
(defvar *memory-limit-in-mb* (environment "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"))
(defvar *log-group-name* (environment "AWS_LAMBDA_LOG_GROUP_NAME"))
(defvar *log-stream-name* (environment "AWS_LAMBDA_LOG_STREAM_NAME"))

(defun context (fields)
  (let ((deadline-ms (parse-integer (getf fields :deadline-ms "0"))))
    (list :aws-request-id (getf fields :request-id)
          :deadline-ms deadline-ms
          :remaining-time-in-millis (lambda () (max 0 (- deadline-ms (now-ms))))
          :invoked-function-arn (getf fields :invoked-function-arn)
          :trace-id (getf fields :trace-id)
          :client-context (getf fields :client-context)
          :identity (getf fields :cognito-identity)
          :tenant-id (getf fields :tenant-id)
          :content-type (getf fields :content-type)
          :stream (lambda (type) (response-stream fields type))
          :function-name *function-name* :function-version *function-version* :memory-limit-in-mb *memory-limit-in-mb*
          :log-group-name *log-group-name* :log-stream-name *log-stream-name*)))

(defun body (result)
  (typecase result
    (string (octets result))
    (null (octets ""))
    (vector (coerce result 'octets))
    (t (octets (princ-to-string result)))))

(defun call-handler (handler fields event)
  (multiple-value-bind (result type)
      (funcall handler
               (if (string= (getf fields :content-type "application/json") "application/json") (text event) event)
               (context fields))
    (values (if *stream* nil (body result)) type)))

(defun serve-one (handler fields event)
  (set-environment "_X_AMZN_TRACE_ID" (getf fields :trace-id))
  (setf *running* fields)
  (attempt (lambda ()
             (multiple-value-bind (body type) (call-handler handler fields event)
               (cond (*stream*
                      (funcall 'flush *stream* t)
                      (send "end" "" (octets "")))
                     (t (send "result" (type-head type) body)))))
           (lambda (type message stack)
             (when *stream* (handler-case (funcall 'flush *stream*) (error () nil)))
             (refuse "error" type message stack)))
  (setf *running* nil
        *stream* nil)
  (finish-output *standard-output*))

(defun serve ()
  (let ((handler (load-handler (or (environment "_HANDLER") ""))))
    (send "ready" "" (octets ""))
    (loop
      (multiple-value-bind (head-bytes body-bytes) (read-sizes)
        (unless head-bytes (return))
        (let* ((head (read-octets head-bytes))
               (event (read-octets body-bytes)))
          (serve-one handler (fields head) event))))))

;;; Memory never touched before costs a page fault for each page, and by default fifty megabytes of it are used up before the
;;; first is used again. What is set here is heeded from the first collection on.
(setf (sb-ext:bytes-consed-between-gcs) (* 4 1024 1024))
(sb-ext:gc)
(setf sb-impl::*default-external-format* :utf-8)
(setf *standard-output* (sb-sys:make-fd-stream 1 :output t :buffering :line :external-format *forgiving*)
      *error-output* (sb-sys:make-fd-stream 2 :output t :buffering :line :external-format *forgiving*))
(serve)
