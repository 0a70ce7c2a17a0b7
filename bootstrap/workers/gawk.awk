# The gawk worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is function handler(event) of hello.awk, whose result is the response. The context is in the array LAMBDA
# (LAMBDA["aws_request_id"], ...); LAMBDA["content_type"] may be set. awk has no exceptions: a handler that calls
# lambda_error(type, message) has failed. lambda_write(piece) sends a piece of a streamed response at once; the result is then
# ignored. Text is bytes, as gawk -b has it. gawk reads sources only as it starts, so this file runs twice: first it checks the
# handler's file, then it starts a gawk with both.

# A process that the handler forked and that came back here ends: the channel is not its own.
function ogni_check_owner() {
  if (PROCINFO["pid"] != OGNI_OWNER) exit 0
}

function ogni_send(kind, head, body) {
  ogni_check_owner()
  printf "%s %d %d\n%s%s", kind, length(head), length(body), head, body > OGNI_REPLIES
  fflush(OGNI_REPLIES)
}

function ogni_one_line(text) {
  gsub(/[\r\n]/, " ", text)
  return text
}

function ogni_refuse(kind, type, message) {
  type = ogni_one_line(type)
  printf "[ERROR] %s: %s\n", type, message > "/dev/stderr"
  fflush("/dev/stderr")
  ogni_send(kind, "type=" type "\nmessage_bytes=" length(message) "\n", message "\n")
}

function ogni_give_up(type, message) {
  ogni_refuse("init-error", type, message)
  exit 1
}

function ogni_quoted(text) {
  gsub(/'/, "'\\''", text)
  return "'" text "'"
}

function ogni_variable(name, value) {
  gsub(/\\/, "&&", value)
  return " -v " ogni_quoted(name "=" value)
}

# The first run. The shell is replaced by the second gawk, whose end becomes this one's.
function ogni_start(    name, dot, path, gawk, command, line, problem) {
  name = ENVIRON["_HANDLER"]
  dot = match(name, /\.[^.]*$/)
  if (dot < 2 || dot == length(name)) ogni_give_up("Runtime.MalformedHandlerName", "Bad handler '" name "': it is no script.function")
  path = (("LAMBDA_TASK_ROOT" in ENVIRON) ? ENVIRON["LAMBDA_TASK_ROOT"] : ".") "/" substr(name, 1, dot - 1) ".awk"
  if ((getline line < path) < 0) ogni_give_up("Runtime.ImportModuleError", "Unable to load '" name "': there is no " path)
  close(path)
  gawk = ogni_quoted(("argv" in PROCINFO) ? PROCINFO["argv"][0] : "gawk")
  command = gawk " -b -o/dev/null -f " ogni_quoted(path) " 2>&1 3<&- 4>&-"
  while ((command | getline line) > 0) problem = problem line "\n"
  if (close(command) != 0) ogni_give_up("Runtime.UserCodeSyntaxError", problem)
  # The handler's BEGIN comes first, as this file's serves until the end.
  exit system("exec " gawk ogni_variable("OGNI_HANDLER", substr(name, dot + 1)) ogni_variable("OGNI_REQUESTS", OGNI_REQUESTS) \
    ogni_variable("OGNI_REPLIES", OGNI_REPLIES) " -b -f " ogni_quoted(path) " -f /proc/self/fd/5 5<&5")
}

function lambda_error(type, message) {
  OGNI_ERROR_TYPE = type
  OGNI_ERROR_MESSAGE = message
  return ""
}

function ogni_type() {
  return ("content_type" in LAMBDA) ? "content_type=" ogni_one_line(LAMBDA["content_type"]) "\n" : ""
}

function lambda_write(piece) {
  if (OGNI_STREAMS) {
    ogni_send("chunk", "", piece)
  } else {
    ogni_send("stream", ogni_type(), piece)
    OGNI_STREAMS = 1
  }
}

function lambda_remaining_ms(    left) {
  left = LAMBDA["deadline_ms"] - (systime() + 1) * 1000 # rather too short than too long
  return left > 0 ? left : 0
}

# The next line of the requests; false when there will be no more.
function ogni_line(    status) {
  RS = "\n"
  status = (getline OGNI_LINE < OGNI_REQUESTS)
  return status > 0
}

# So many bytes, which end where a line does.
function ogni_take(bytes,    text) {
  if (!ogni_line()) exit 0
  text = OGNI_LINE
  while (length(text) < bytes) {
    if (!ogni_line()) exit 0
    text = text "\n" OGNI_LINE
  }
  return text
}

function ogni_fields(head,    lines, count, i, equals) {
  delete LAMBDA
  count = split(head, lines, "\n")
  for (i = 1; i <= count; ++i) {
    equals = index(lines[i], "=")
    if (equals > 1) LAMBDA[substr(lines[i], 1, equals - 1)] = substr(lines[i], equals + 1)
  }
  LAMBDA["aws_request_id"] = LAMBDA["request_id"]
  LAMBDA["identity"] = LAMBDA["cognito_identity"]
  LAMBDA["function_name"] = ENVIRON["AWS_LAMBDA_FUNCTION_NAME"]
  LAMBDA["function_version"] = ENVIRON["AWS_LAMBDA_FUNCTION_VERSION"]
  LAMBDA["memory_limit_in_mb"] = ENVIRON["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
  LAMBDA["log_group_name"] = ENVIRON["AWS_LAMBDA_LOG_GROUP_NAME"]
  LAMBDA["log_stream_name"] = ENVIRON["AWS_LAMBDA_LOG_STREAM_NAME"]
  delete ENVIRON["_X_AMZN_TRACE_ID"]
  if ("trace_id" in LAMBDA) ENVIRON["_X_AMZN_TRACE_ID"] = LAMBDA["trace_id"]
  LAMBDA["event_type"] = LAMBDA["content_type"]
  delete LAMBDA["content_type"]
}

function ogni_serve(    words, head, event, result) {
  while (ogni_line()) {
    split(OGNI_LINE, words, " ")
    head = ogni_take(words[2] - 1)
    event = ogni_take(words[3])
    ogni_fields(head)
    OGNI_ERROR_TYPE = ""
    RS = "\n"
    result = @OGNI_HANDLER(event)
    fflush("/dev/stdout")
    if (OGNI_ERROR_TYPE != "") ogni_refuse("error", OGNI_ERROR_TYPE, OGNI_ERROR_MESSAGE)
    else if (OGNI_STREAMS) ogni_send("end", "", "")
    else ogni_send("result", ogni_type(), result)
    OGNI_STREAMS = 0
  }
}

BEGIN {
  OGNI_OWNER = PROCINFO["pid"]
  # gawk makes what it opens by a path close-on-exec.
  if (OGNI_HANDLER == "") {
    OGNI_REQUESTS = ARGC > 2 ? ARGV[1] : "/dev/fd/3"
    OGNI_REPLIES = ARGC > 2 ? ARGV[2] : "/dev/fd/4"
    ogni_start()
  }
  if (PROCINFO["identifiers"][OGNI_HANDLER] != "user") {
    ogni_give_up("Runtime.HandlerNotFound", "Handler '" OGNI_HANDLER "' is no function of the script")
  }
  ogni_send("ready", "line_feed=yes\n", "")
  ogni_serve()
  exit 0
}
