# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
const calls = Ref(0)

# VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
text_value(event) = chop(event; head = 9, tail = 2)

function handler(event, context)
    if startswith(event, "{\"name\":\"")
        "{\"message\":\"Hello, $(text_value(event))!\"}"
    elseif startswith(event, "{\"fail\":\"")
        throw(ArgumentError(text_value(event)))
    elseif startswith(event, "{\"context\":")
        "{\"request_id\":\"$(context.aws_request_id)\"}"
    elseif startswith(event, "{\"count\":")
        calls[] += 1
        "{\"count\":$(calls[])}"
    else
        event
    end
end
