// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
package hello

class Hello {
    private var calls = 0

    fun handle(event: Map<String, Any?>, context: Map<String, Any?>): Map<String, Any?> = when {
        "name" in event -> mapOf("message" to "Hello, ${event["name"]}!")
        "fail" in event -> throw IllegalArgumentException(event["fail"] as String)
        "context" in event -> mapOf("request_id" to context["awsRequestId"])
        "count" in event -> mapOf("count" to ++calls)
        else -> event
    }
}
