# The Julia worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is function handler of hello.jl: handler(event, context). The event is a String (a Vector{UInt8} where it is not
# JSON), the context a named tuple. The response is a String or a Vector{UInt8}, or (response, content_type). A generator or a
# Channel of them is a streamed response, piece by piece.
module OgniWorker

# Julia makes what it opens by a path close-on-exec.
const requests = open(length(ARGS) == 2 ? ARGS[1] : "/dev/fd/3", "r")
const replies = open(length(ARGS) == 2 ? ARGS[2] : "/dev/fd/4", "w")
empty!(ARGS)
const owner = getpid()

# A process that the handler forked and that came back here ends: the channel is not its own.
check_owner() = getpid() == owner || ccall(:_exit, Cvoid, (Cint,), 0)

function send(kind, head = "", body = UInt8[])
    check_owner()
    write(replies, "$kind $(sizeof(head)) $(sizeof(body))\n", head, body)
    flush(replies)
end

one_line(text) = replace(text, r"[\r\n]" => " ")

function refuse(kind, type, message, stack = "")
    println(stderr, "[ERROR] $type: $message\n$stack")
    send(kind, "type=$(one_line(type))\nmessage_bytes=$(sizeof(message))\n", "$message\n$stack")
end

function give_up(type, message, stack = "")
    refuse("init-error", type, message, stack)
    exit(1)
end

unwrapped(problem) = problem isa LoadError ? unwrapped(problem.error) :
    problem isa TaskFailedException ? unwrapped(problem.task.exception) : problem

message_of(problem) = problem isa ErrorException ? problem.msg : first(split(sprint(showerror, problem), "\nStacktrace:"))

# The frames of the handler, without the worker's own.
function stack_of(trace)
    frames = stacktrace(trace)
    last = findfirst(frame -> occursin("proc/self/fd", string(frame.file)), frames)
    frames = last === nothing ? frames : frames[1:last-1]
    join(("at $frame" for frame in frames), "\n")
end

function load(name)
    parts = match(r"^(.+)\.([^.]+)$", name)
    parts === nothing && give_up("Runtime.MalformedHandlerName", "Bad handler '$name': it is no script.function")
    path = joinpath(get(ENV, "LAMBDA_TASK_ROOT", "."), parts[1] * ".jl")
    isfile(path) || give_up("Runtime.ImportModuleError", "Unable to load '$(parts[1])': there is no $path")
    try
        Base.include(Main, path)
    catch caught
        problem = unwrapped(caught)
        text = message_of(problem)
        syntax = occursin("syntax", text) || occursin("ParseError", string(typeof(problem)))
        give_up(syntax ? "Runtime.UserCodeSyntaxError" : string(typeof(problem)), text, stack_of(catch_backtrace()))
    end
    wanted = Symbol(parts[2])
    isdefined(Main, wanted) || give_up("Runtime.HandlerNotFound", "Handler '$wanted' is no function of $path")
    getfield(Main, wanted)
end

function context_of(fields)
    deadline_ms = parse(Int, get(fields, "deadline_ms", "0"))
    (aws_request_id = get(fields, "request_id", nothing),
     deadline_ms = deadline_ms,
     remaining_time_in_millis = () -> max(0, deadline_ms - round(Int, time() * 1000)),
     invoked_function_arn = get(fields, "invoked_function_arn", nothing),
     trace_id = get(fields, "trace_id", nothing),
     client_context = get(fields, "client_context", nothing),
     identity = get(fields, "cognito_identity", nothing),
     tenant_id = get(fields, "tenant_id", nothing),
     content_type = get(fields, "content_type", nothing),
     function_name = get(ENV, "AWS_LAMBDA_FUNCTION_NAME", nothing),
     function_version = get(ENV, "AWS_LAMBDA_FUNCTION_VERSION", nothing),
     memory_limit_in_mb = get(ENV, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", nothing),
     log_group_name = get(ENV, "AWS_LAMBDA_LOG_GROUP_NAME", nothing),
     log_stream_name = get(ENV, "AWS_LAMBDA_LOG_STREAM_NAME", nothing))
end

bytes_of(value) = value isa Vector{UInt8} ? value : value === nothing ? "" : string(value)

function serve_one(handler, fields, event)
    haskey(fields, "trace_id") ? (ENV["_X_AMZN_TRACE_ID"] = fields["trace_id"]) : delete!(ENV, "_X_AMZN_TRACE_ID")
    json = get(fields, "content_type", "application/json") == "application/json"
    local head, body
    try
        result = Base.invokelatest(handler, json ? String(event) : event, context_of(fields))
        result, type = result isa Tuple ? result : (result, nothing)
        head = type === nothing ? "" : "content_type=$(one_line(type))\n"
        if result isa Union{Base.Generator,Channel}
            send("stream", head)
            Base.invokelatest(foreach, piece -> send("chunk", "", bytes_of(piece)), result)
            return send("end")
        end
        body = bytes_of(result)
    catch caught
        problem = unwrapped(caught)
        return refuse("error", string(nameof(typeof(problem))), message_of(problem), stack_of(catch_backtrace()))
    end
    send("result", head, body)
end

# read(requests, count) is not used: in Julia 1.5 it waits for one byte more, which only the next request would bring.
function read_bytes(count)
    bytes = UInt8[]
    while length(bytes) < count
        piece = read(requests, count - length(bytes); all = false)
        isempty(piece) && exit(0)
        append!(bytes, piece)
    end
    bytes
end

function serve()
    handler = load(get(ENV, "_HANDLER", ""))
    send("ready")
    while true
        line = readline(requests)
        isempty(line) && return
        head_bytes, body_bytes = parse.(Int, split(line)[2:3])
        head = String(read_bytes(head_bytes))
        event = read_bytes(body_bytes)
        fields = Dict{String,String}()
        for pair in split(head, "\n"; keepempty = false)
            name, value = split(pair, "="; limit = 2)
            fields[name] = value
        end
        serve_one(handler, fields, event)
        flush(stdout)
    end
end

serve()

end
