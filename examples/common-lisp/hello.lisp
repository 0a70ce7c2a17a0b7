;;; Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
(defvar *calls* 0)

(defun begins-p (start event)
  (let ((mismatch (mismatch start event)))
    (or (null mismatch) (= mismatch (length start)))))

(defun text-value (event)
  "VALUE of {\"name\":\"VALUE\"} or {\"fail\":\"VALUE\"}"
  (subseq event 9 (- (length event) 2)))

(defun handler (event context)
  (cond ((begins-p "{\"name\":\"" event) (format nil "{\"message\":\"Hello, ~a!\"}" (text-value event)))
        ((begins-p "{\"fail\":\"" event) (error "~a" (text-value event)))
        ((begins-p "{\"context\":" event) (format nil "{\"request_id\":\"~a\"}" (getf context :aws-request-id)))
        ((begins-p "{\"count\":" event) (format nil "{\"count\":~d}" (incf *calls*)))
        (t event)))
