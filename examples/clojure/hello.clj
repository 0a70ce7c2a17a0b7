; Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
(ns hello
  (:gen-class
   :name hello.Hello
   :methods [^:static [handle [java.util.Map java.util.Map] java.util.Map]]))

(def calls (atom 0))

(defn -handle [event context]
  (cond
    (get event "name") {"message" (str "Hello, " (get event "name") "!")}
    (get event "fail") (throw (ex-info (get event "fail") {}))
    (get event "context") {"request_id" (get context "awsRequestId")}
    (get event "count") {"count" (swap! calls inc)}
    :else event))
