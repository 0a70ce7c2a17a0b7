# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
set calls 0

proc handler {event context} {
    if {[regexp {^\{"name":"(.*)"\}$} $event -> name]} {
        return "{\"message\":\"Hello, $name!\"}"
    } elseif {[regexp {^\{"fail":"(.*)"\}$} $event -> reason]} {
        error $reason
    } elseif {[regexp {^\{"context":} $event]} {
        return "{\"request_id\":\"[dict get $context aws_request_id]\"}"
    } elseif {[regexp {^\{"count":} $event]} {
        return "{\"count\":[incr ::calls]}"
    }
    return $event
}
