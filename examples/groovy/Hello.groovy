// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
package hello

class Hello {
    private int calls = 0

    Map handle(Map event, Map context) {
        if (event.name) return [message: "Hello, ${event.name}!".toString()]
        if (event.fail) throw new IllegalArgumentException(event.fail)
        if (event.context) return [request_id: context.awsRequestId]
        if (event.count) return [count: ++calls]
        event
    }
}
