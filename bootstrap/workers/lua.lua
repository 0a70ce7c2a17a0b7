-- The Lua worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
--
-- `hello.handler` is the global function `handler` of hello.lua, or a field of the table that the file returns. It gets the
-- event as a string and the context as a table, and returns a string and, if it likes, its content type; or a function that
-- returns one piece of a streamed response after the other, and then nil. Lua cannot change the environment: os.getenv, os.execute and io.popen are replaced by ones that know the trace id.

local getenv, execute, popen, exit = os.getenv, os.execute, io.popen, os.exit
local requests = assert(io.open("/dev/fd/3", "rb"))
local replies = assert(io.open("/dev/fd/4", "wb"))
replies:setvbuf("full", 65536)
local stdout = io.stdout
stdout:setvbuf("no")

local trace_id

function os.getenv(name)
  if name == "_X_AMZN_TRACE_ID" then
    return trace_id
  end
  return getenv(name)
end

-- A command gets the trace id, and not the private descriptors: those above 2 that a shell can close by number.
local function with_environment(command)
  local prefix = "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-\n"
  if trace_id then
    prefix = prefix .. "export _X_AMZN_TRACE_ID='" .. trace_id:gsub("'", "'\\''") .. "'\n"
  end
  return prefix .. command
end

function os.execute(command)
  return execute(command and with_environment(command))
end

function io.popen(command, ...)
  return popen(with_environment(command), ...)
end

-- The next request as (fields, event), or nil when there will be no more.
local function receive()
  local line = requests:read("L")
  if not line then
    return nil
  end
  local head_bytes, body_bytes = line:match("^%S+ (%d+) (%d+)\n$")
  -- Reading no bytes would wait for one.
  local head = head_bytes ~= "0" and requests:read(tonumber(head_bytes)) or ""
  local event = body_bytes ~= "0" and requests:read(tonumber(body_bytes)) or ""
  local fields = {}
  for name, value in head:gmatch("([^=\n]+)=([^\n]*)\n") do
    fields[name] = value
  end
  return fields, event
end

local function process_id()
  local file = io.open("/proc/self/stat", "rb")
  local id = file and file:read("n")
  if file then
    file:close()
  end
  return id
end

-- Lua by itself cannot fork: where nothing but its own libraries is loaded, nothing needs to be looked up.
local own_libraries, owner = {}, process_id()
for name in pairs(package.loaded) do
  own_libraries[name] = true
end

-- A process that the handler forked and that came back here ends: the channel is not its own.
local function check_owner()
  for name in pairs(package.loaded) do
    if not own_libraries[name] then
      return process_id() == owner or exit(0)
    end
  end
end

local function send(kind, head, body)
  check_owner()
  pcall(stdout.flush, stdout)
  replies:write(kind, " ", #head, " ", #body, "\n", head, body)
  replies:flush()
end

local function one_line(text)
  return (tostring(text):gsub("[\r\n]", " "))
end

local function refuse(kind, type, message, stack)
  io.stderr:write("[ERROR] ", type, ": ", message, "\n", stack or "", "\n")
  send(kind, "type=" .. one_line(type) .. "\nmessage_bytes=" .. #message .. "\n", message .. "\n" .. (stack or ""))
end

-- Keeps what was raised together with the stack at that moment.
local function with_stack(problem)
  local stack = debug.traceback("", 2):gsub("^\n?stack traceback:\n", "")
  local type, message = "Error", problem
  if _G.type(problem) == "table" then
    type, message = problem.type or "Error", problem.message or tostring(problem)
  end
  return { type = type, message = tostring(message), stack = (stack:gsub("\n%s*%[C%]: in function 'xpcall'.*", "")) }
end

local function fault(type, message)
  return nil, { type = type, message = message, stack = "" }
end

local function load_handler(name)
  local file, handler = name:match("^(.+)%.([%w_]+)$")
  if not file then
    return fault("Runtime.MalformedHandlerName", "Bad handler '" .. name .. "': it is no script.function")
  end
  local root = getenv("LAMBDA_TASK_ROOT") or "."
  package.path = root .. "/?.lua;" .. root .. "/?/init.lua;" .. package.path
  package.cpath = root .. "/?.so;" .. package.cpath
  local path = root .. "/" .. file .. ".lua"
  local readable = io.open(path, "rb")
  if not readable then
    return fault("Runtime.ImportModuleError", "Unable to load '" .. file .. "': there is no " .. path)
  end
  readable:close()
  local chunk, problem = loadfile(path)
  if not chunk then
    return fault("Runtime.UserCodeSyntaxError", problem)
  end
  local good, result = xpcall(chunk, with_stack, file)
  if not good then
    return nil, result
  end
  local found = type(result) == "table" and result[handler] or _G[handler]
  if not found then
    return fault("Runtime.HandlerNotFound", "Handler '" .. handler .. "' is no function of " .. path)
  end
  return found
end

-- Milliseconds since the machine started, or nil where there is no /proc.
local function uptime_ms()
  local file = io.open("/proc/uptime", "rb")
  local seconds = file and file:read("n")
  if file then
    file:close()
  end
  return seconds and math.floor(seconds * 1000)
end

-- Lua's own clock has whole seconds only. This one is never behind the true one, and less than a second ahead.
local start_ms = math.huge

local function now_ms()
  local latest = os.time() * 1000 + 999
  local uptime = uptime_ms()
  if not uptime then
    return latest
  end
  start_ms = math.min(start_ms, latest - uptime)
  return start_ms + uptime
end

local function context_of(fields)
  local deadline_ms = tonumber(fields.deadline_ms) or 0
  return {
    aws_request_id = fields.request_id,
    deadline_ms = deadline_ms,
    invoked_function_arn = fields.invoked_function_arn,
    trace_id = fields.trace_id,
    client_context = fields.client_context,
    identity = fields.cognito_identity,
    tenant_id = fields.tenant_id,
    content_type = fields.content_type,
    function_name = getenv("AWS_LAMBDA_FUNCTION_NAME"),
    function_version = getenv("AWS_LAMBDA_FUNCTION_VERSION"),
    memory_limit_in_mb = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    log_group_name = getenv("AWS_LAMBDA_LOG_GROUP_NAME"),
    log_stream_name = getenv("AWS_LAMBDA_LOG_STREAM_NAME"),
    get_remaining_time_in_millis = function()
      return math.max(0, deadline_ms - now_ms())
    end,
  }
end

local function stream(next_piece, head)
  send("stream", head, "")
  for piece in next_piece do
    send("chunk", "", tostring(piece))
  end
  send("end", "", "")
end

local handler, failure = load_handler(getenv("_HANDLER") or "")
if not handler then
  refuse("init-error", failure.type, failure.message, failure.stack)
  exit(1)
end
send("ready", "", "")
for fields, event in receive do
  trace_id = fields.trace_id
  local good, result, content_type = xpcall(handler, with_stack, event, context_of(fields))
  local head = content_type and "content_type=" .. one_line(content_type) .. "\n" or ""
  local streamed = good and type(result) == "function"
  if streamed then
    good, result = xpcall(stream, with_stack, result, head)
  end
  if good and not streamed then
    send("result", head, result == nil and "" or tostring(result))
  elseif not good then
    refuse("error", result.type, result.message, result.stack)
  end
end
