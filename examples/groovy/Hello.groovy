// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
import groovy.json.JsonOutput
import groovy.json.JsonSlurper

class Hello {
    static int calls = 0

    static handle(event) {
        if (event.name) return [message: "Hello, ${event.name}!"]
        if (event.fail) throw new IllegalArgumentException(event.fail)
        if (event.context) return [request_id: System.getenv('LAMBDA_RUNTIME_AWS_REQUEST_ID')]
        if (event.count) return [count: ++calls]
        event
    }

    static void main(String[] arguments) {
        try {
            def event = new JsonSlurper().parse(System.in, 'UTF-8')
            System.out.write(JsonOutput.toJson(handle(event)).getBytes('UTF-8'))
            System.out.flush()
        } catch (IllegalArgumentException failure) {
            failure.stackTrace.each { System.err.println(it) }
            System.err.println("${failure.class.simpleName}: ${failure.message}")
            System.exit(1)
        }
    }
}
