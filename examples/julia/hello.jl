# A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
const calls = Ref(0)

# VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
text_value(event) = chop(event; head = 9, tail = 2)

function handle(event)
    if startswith(event, "{\"name\":\"")
        "{\"message\":\"Hello, $(text_value(event))!\"}"
    elseif startswith(event, "{\"fail\":\"")
        throw(ArgumentError(text_value(event)))
    elseif startswith(event, "{\"context\":")
        "{\"request_id\":\"$(ENV["LAMBDA_RUNTIME_AWS_REQUEST_ID"])\"}"
    elseif startswith(event, "{\"count\":")
        "{\"count\":$(calls[] += 1)}"
    else
        event
    end
end

try
    print(handle(read(stdin, String)))
catch failure
    failure isa ArgumentError || rethrow()
    println(stderr, "ArgumentError: ", failure.msg)
    exit(1)
end
