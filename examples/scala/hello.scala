// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
import java.nio.charset.StandardCharsets.UTF_8

object Hello {
  private var calls = 0
  private val Name = "(?s)\\{\"name\":\"(.*)\"\\}".r
  private val Fail = "(?s)\\{\"fail\":\"(.*)\"\\}".r

  def handle(event: String): String = event match {
    case Name(name) => "{\"message\":\"Hello, " + name + "!\"}"
    case Fail(reason) => throw new IllegalArgumentException(reason)
    case _ if event.startsWith("{\"context\":") =>
      "{\"request_id\":\"" + sys.env("LAMBDA_RUNTIME_AWS_REQUEST_ID") + "\"}"
    case _ if event.startsWith("{\"count\":") =>
      calls += 1
      "{\"count\":" + calls + "}"
    case _ => event
  }

  def main(arguments: Array[String]): Unit =
    try {
      System.out.write(handle(new String(System.in.readAllBytes(), UTF_8)).getBytes(UTF_8))
      System.out.flush()
    } catch {
      case failure: IllegalArgumentException =>
        failure.getStackTrace.foreach(frame => System.err.println(frame))
        System.err.println(failure.getClass.getSimpleName + ": " + failure.getMessage)
        sys.exit(1)
    }
}
