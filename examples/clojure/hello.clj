; A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
(require '[clojure.string :as string])

(def calls (atom 0))

(defn text-value
  "VALUE of {\"name\":\"VALUE\"} or {\"fail\":\"VALUE\"}"
  [event]
  (subs event 9 (- (count event) 2)))

(defn handle [event]
  (condp #(string/starts-with? %2 %1) event
    "{\"name\":\"" (str "{\"message\":\"Hello, " (text-value event) "!\"}")
    "{\"fail\":\"" (throw (ex-info (text-value event) {}))
    "{\"context\":" (str "{\"request_id\":\"" (System/getenv "LAMBDA_RUNTIME_AWS_REQUEST_ID") "\"}")
    "{\"count\":" (str "{\"count\":" (swap! calls inc) "}")
    event))

(try
  (print (handle (slurp *in*)))
  (flush)
  (catch clojure.lang.ExceptionInfo failure
    (binding [*out* *err*]
      (run! println (.getStackTrace failure))
      (println (str "ExceptionInfo: " (ex-message failure))))
    (System/exit 1)))
