// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
import kotlin.system.exitProcess

var calls = 0

// VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
fun textValue(event: String) = event.substring(9, event.length - 2)

fun handle(event: String): String = when {
    event.startsWith("{\"name\":\"") -> "{\"message\":\"Hello, ${textValue(event)}!\"}"
    event.startsWith("{\"fail\":\"") -> throw IllegalArgumentException(textValue(event))
    event.startsWith("{\"context\":") -> "{\"request_id\":\"${System.getenv("LAMBDA_RUNTIME_AWS_REQUEST_ID")}\"}"
    event.startsWith("{\"count\":") -> "{\"count\":${++calls}}"
    else -> event
}

fun main() {
    try {
        System.out.write(handle(String(System.`in`.readBytes(), Charsets.UTF_8)).toByteArray(Charsets.UTF_8))
        System.out.flush()
    } catch (failure: IllegalArgumentException) {
        failure.stackTrace.forEach(System.err::println)
        System.err.println("${failure.javaClass.simpleName}: ${failure.message}")
        exitProcess(1)
    }
}
