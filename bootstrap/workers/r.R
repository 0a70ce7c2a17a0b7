# The R worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is function `handler` of hello.R: handler(event, context). The event is a string (raw where it is not
# JSON), the context a list. The response is a string or raw; its attribute "content_type" names its type.
# write <- context$stream(type) makes it a streamed one: write(piece) sends a piece at once, and what the function returns is
# then ignored.
local({
  options(warn = 1) # in the log at once: there is no top level that would print them
  if (!l10n_info()[["UTF-8"]]) suppressWarnings(Sys.setlocale("LC_ALL", "C.UTF-8"))
  paths <- c(commandArgs(TRUE), "/dev/fd/3", "/dev/fd/4")
  # "e" is the C library's: close-on-exec.
  requests <- file(paths[1], "reb", raw = TRUE)
  replies <- file(paths[2], "web", raw = TRUE)

  bytes_of <- function(text) {
    if (!is.character(text) || length(text) != 1) text <- paste(as.character(text), collapse = "\n")
    charToRaw(enc2utf8(text))
  }

  text_of <- function(bytes) {
    text <- rawToChar(bytes)
    Encoding(text) <- "UTF-8"
    text
  }

  owner <- Sys.getpid()

  # A process that the handler forked and that came back here ends: the channel is not its own. quit() would take the
  # temporary directory with it.
  check_owner <- function() if (Sys.getpid() != owner) tools::pskill(Sys.getpid(), tools::SIGKILL)

  send <- function(kind, head = "", body = raw(0)) {
    check_owner()
    head <- if (nzchar(head)) bytes_of(head) else raw(0)
    writeBin(c(charToRaw(sprintf("%s %d %d\n", kind, length(head), length(body))), head, body), replies)
    flush(replies)
  }

  # The next request as list(fields, event), or NULL when there will be no more.
  receive <- function() {
    line <- readLines(requests, 1)
    if (length(line) == 0) return(NULL)
    sizes <- as.integer(strsplit(line, " ", fixed = TRUE)[[1]][2:3])
    head <- text_of(readBin(requests, "raw", sizes[1]))
    event <- if (sizes[2] > 0) readBin(requests, "raw", sizes[2]) else raw(0)
    lines <- strsplit(head, "\n", fixed = TRUE)[[1]]
    equals <- regexpr("=", lines, fixed = TRUE)
    fields <- as.list(substr(lines, equals + 1L, 65536L))
    names(fields) <- substr(lines, 1L, equals - 1L)
    list(fields, event)
  }

  refuse <- function(kind, type, message, stack = character(0)) {
    type <- gsub("[\r\n]", " ", type)
    cat("[ERROR] ", type, ": ", message, "\n", paste0(stack, "\n"), sep = "", file = stderr())
    message <- bytes_of(message)
    body <- c(message, if (length(stack) > 0) bytes_of(c("", stack)))
    send(kind, sprintf("type=%s\nmessage_bytes=%d\n", type, length(message)), body)
  }

  # Runs `code`; what goes wrong becomes list(error, stack), the stack without the worker's own calls.
  attempt <- function(code) {
    stack <- character(0)
    tryCatch(
      withCallingHandlers(list(value = code), error = function(e) {
        calls <- vapply(sys.calls(), function(call) paste(deparse(call, nlines = 1), collapse = ""), "")
        first <- max(c(0, grep("^(withCallingHandlers|source|ogni_serve_one)\\(", calls))) + 1
        own <- grep("^(\\.handleSimpleError|h)\\(", calls)
        last <- if (length(own) > 0) own[1] - 1 else length(calls) - 1
        if (last >= first) stack <<- paste("at", rev(calls[first:last]))
      }),
      error = function(e) list(error = e, stack = stack))
  }

  type_of <- function(error) {
    class <- class(error)[1]
    if (class == "simpleError") "Error" else class
  }

  type_head <- function(type) if (is.null(type)) "" else sprintf("content_type=%s\n", gsub("[\r\n]", " ", type))

  body_of <- function(value) {
    if (!is.raw(value)) return(if (is.null(value)) raw(0) else bytes_of(value))
    attributes(value) <- NULL
    value
  }

  # The request id of the invocation that runs, and whether its response streams: "no", "asked", "begun".
  running <- ""
  streams <- "no"

  stream <- function(id, type) {
    check_running <- function() if (!identical(id, running)) stop("the response has ended")
    check_running()
    if (streams == "no") streams <<- "asked"
    head <- type_head(type)
    function(piece) {
      check_running()
      body <- body_of(piece)
      if (streams == "begun") return(invisible(send("chunk", "", body)))
      streams <<- "begun"
      send("stream", head, body)
      invisible(NULL)
    }
  }

  variables <- c("FUNCTION_NAME", "FUNCTION_VERSION", "FUNCTION_MEMORY_SIZE", "LOG_GROUP_NAME", "LOG_STREAM_NAME")
  function_context <- as.list(Sys.getenv(paste0("AWS_LAMBDA_", variables), NA_character_))
  names(function_context) <- c("function_name", "function_version", "memory_limit_in_mb", "log_group_name", "log_stream_name")

  context_of <- function(fields) {
    deadline_ms <- as.numeric(fields$deadline_ms)
    c(list(
      aws_request_id = fields$request_id, deadline_ms = deadline_ms, trace_id = fields$trace_id,
      invoked_function_arn = fields$invoked_function_arn, client_context = fields$client_context,
      identity = fields$cognito_identity, tenant_id = fields$tenant_id, content_type = fields$content_type,
      stream = function(type = "application/octet-stream") stream(fields$request_id, type),
      get_remaining_time_in_millis = function() max(0, deadline_ms - as.numeric(Sys.time()) * 1000)), function_context)
  }

  give_up <- function(type, message, stack = character(0)) {
    refuse("init-error", type, message, stack)
    quit("no", 1)
  }

  load <- function(name) {
    if (!grepl("^.+\\.[^.]+$", name)) {
      give_up("Runtime.MalformedHandlerName", sprintf("Bad handler '%s': it is no script.function", name))
    }
    base <- sub("\\.[^.]+$", "", name)
    wanted <- sub("^.*\\.", "", name)
    paths <- file.path(Sys.getenv("LAMBDA_TASK_ROOT", "."), paste0(base, c(".R", ".r")))
    path <- paths[file.exists(paths)][1]
    if (is.na(path)) {
      give_up("Runtime.ImportModuleError", sprintf("Unable to load '%s': there is no %s", base, paths[1]))
    }
    parsed <- attempt(parse(path, encoding = "UTF-8", keep.source = FALSE))
    if (!is.null(parsed$error)) give_up("Runtime.UserCodeSyntaxError", conditionMessage(parsed$error))
    loaded <- attempt(for (expression in parsed$value) eval(expression, globalenv()))
    if (!is.null(loaded$error)) give_up(type_of(loaded$error), conditionMessage(loaded$error), loaded$stack)
    handler <- get0(wanted, globalenv(), mode = "function")
    if (is.null(handler)) {
      give_up("Runtime.HandlerNotFound", sprintf("Handler '%s' is no function of %s", wanted, path))
    }
    handler
  }

  ogni_serve_one <- function(fields, event) {
    if (is.null(fields$trace_id)) Sys.unsetenv("_X_AMZN_TRACE_ID") else Sys.setenv("_X_AMZN_TRACE_ID" = fields$trace_id)
    running <<- fields$request_id
    if (is.null(fields$content_type) || fields$content_type == "application/json") event <- text_of(event)
    result <- handler(event, context_of(fields))
    if (streams == "no") {
      body <- body_of(result)
      running <<- ""
      return(send("result", type_head(attr(result, "content_type")), body))
    }
    running <<- ""
    if (streams == "asked") send("stream")
    streams <<- "no"
    send("end")
  }

  handler <- load(Sys.getenv("_HANDLER"))
  send("ready")
  # Condition handlers are dear, so they are there for as many invocations as go well.
  repeat {
    served <- attempt(while (!is.null(request <- receive())) ogni_serve_one(request[[1]], request[[2]]))
    if (is.null(served$error)) break
    running <- ""
    streams <- "no"
    refuse("error", type_of(served$error), conditionMessage(served$error), served$stack)
  }
})
