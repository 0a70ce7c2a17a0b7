// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
package hello;

import java.util.Map;

public final class Hello {
    private int calls = 0;

    public Map<String, Object> handle(Map<String, Object> event, Map<String, Object> context) {
        if (event.containsKey("name")) return Map.of("message", "Hello, " + event.get("name") + "!");
        if (event.containsKey("fail")) throw new IllegalArgumentException((String) event.get("fail"));
        if (event.containsKey("context")) return Map.of("request_id", context.get("awsRequestId"));
        if (event.containsKey("count")) return Map.of("count", ++calls);
        return event;
    }
}
