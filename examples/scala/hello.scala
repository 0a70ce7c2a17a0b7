// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
package hello

import java.util.{Collections, Map => JavaMap}

class Hello {
  private var calls = 0

  def handle(event: JavaMap[String, Object], context: JavaMap[String, Object]): JavaMap[String, Object] = {
    def asked(key: String) = Option(event.get(key))
    def answer(key: String, value: Object) = Collections.singletonMap(key, value)
    (asked("name"), asked("fail"), asked("context"), asked("count")) match {
      case (Some(name), _, _, _)   => answer("message", s"Hello, $name!")
      case (_, Some(reason), _, _) => throw new IllegalArgumentException(reason.toString)
      case (_, _, Some(_), _)      => answer("request_id", context.get("awsRequestId"))
      case (_, _, _, Some(_)) =>
        calls += 1
        answer("count", Int.box(calls))
      case _ => event
    }
  }
}
