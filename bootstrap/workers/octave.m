% The Octave worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
%
% `hello.handler` is function handler of hello.m (a script file with functions): handler (event, context). The event is a
% string (uint8 where it is not JSON), the context a struct. The response is a string, uint8, or a number; a second result
% names its type. write = context.stream (type) makes it a streamed one: write (piece) sends a piece at once, and what the
% function returns is then ignored.
1;

% A process that the handler forked and that came back here ends: the channel is not its own.
function ogni_check_owner ()
  global ogni_owner
  if (getpid () != ogni_owner)
    kill (getpid (), SIG ().KILL);
  endif
endfunction

function ogni_send (kind, head, body)
  global ogni_replies
  ogni_check_owner ();
  if (ischar (body))
    body = unicode2native_or_bytes (body);
  endif
  fwrite (ogni_replies, [uint8(sprintf ("%s %d %d\n%s", kind, numel (head), numel (body), head)), uint8(body(:).')]);
  fflush (ogni_replies);
endfunction

% Octave's strings are bytes already.
function bytes = unicode2native_or_bytes (text)
  bytes = uint8 (text(:).');
endfunction

function bytes = ogni_take (count)
  global ogni_requests
  bytes = zeros (1, 0, "uint8");
  while (numel (bytes) < count)
    more = fread (ogni_requests, count - numel (bytes), "uint8=>uint8").';
    if (isempty (more))
      exit (0);
    endif
    bytes = [bytes, more];
  endwhile
endfunction

function text = ogni_one_line (text)
  text(text == "\n" | text == "\r") = " ";
endfunction

function ogni_refuse (kind, type, message, stack)
  fprintf (stderr, "[ERROR] %s: %s\n%s", type, message, stack);
  head = sprintf ("type=%s\nmessage_bytes=%d\n", ogni_one_line (type), numel (message));
  ogni_send (kind, head, [message, "\n", stack]);
endfunction

function ogni_give_up (type, message, stack)
  ogni_refuse ("init-error", type, message, stack);
  exit (1);
endfunction

% The frames of the handler, without the worker's own.
function text = ogni_stack (error)
  text = "";
  for frame = error.stack.'
    if (strncmp (frame.name, "ogni_", 5) || any (strfind (frame.file, "ogni-")) && ! any (strfind (frame.file, "task")))
      if (isempty (text))
        continue; % the handler has called this worker
      endif
      break;
    endif
    text = [text, sprintf("at %s (%s:%d)\n", frame.name, frame.file, frame.line)];
  endfor
endfunction

function type = ogni_type (error)
  type = error.identifier;
  if (isempty (type))
    type = "Error";
  endif
endfunction

function ogni_load (name)
  global ogni_handler
  dot = find (name == ".", 1, "last");
  if (isempty (dot) || dot == 1 || dot == numel (name))
    ogni_give_up ("Runtime.MalformedHandlerName", sprintf ("Bad handler '%s': it is no script.function", name), "");
  endif
  root = getenv ("LAMBDA_TASK_ROOT");
  if (isempty (root))
    root = ".";
  endif
  path = [root, "/", name(1:dot-1), ".m"];
  ogni_handler = name(dot+1:end);
  if (! exist (path, "file"))
    ogni_give_up ("Runtime.ImportModuleError", sprintf ("Unable to load '%s': there is no %s", name(1:dot-1), path), "");
  endif
  addpath (fileparts (path));
  try
    evalin ("base", sprintf ("source ('%s');", strrep (path, "'", "''")));
  catch error
    type = ogni_type (error);
    if (any (strfind (error.message, "parse error")))
      type = "Runtime.UserCodeSyntaxError";
    endif
    ogni_give_up (type, error.message, ogni_stack (error));
  end_try_catch
  if (! any (exist (ogni_handler) == [2, 3, 5, 103]))
    ogni_give_up ("Runtime.HandlerNotFound", sprintf ("Handler '%s' is no function of %s", ogni_handler, path), "");
  endif
endfunction

function left = ogni_remaining (deadline_ms)
  left = max (0, deadline_ms - floor (time () * 1000));
endfunction

function context = ogni_context (fields)
  names = {"request_id", "invoked_function_arn", "trace_id", "client_context", "cognito_identity", "tenant_id", "content_type"};
  for i = 1:numel (names)
    if (! isfield (fields, names{i}))
      fields.(names{i}) = "";
    endif
  endfor
  deadline_ms = str2double (fields.deadline_ms);
  context = struct ("aws_request_id", fields.request_id, "deadline_ms", deadline_ms,
                    "invoked_function_arn", fields.invoked_function_arn, "trace_id", fields.trace_id,
                    "client_context", fields.client_context, "identity", fields.cognito_identity,
                    "tenant_id", fields.tenant_id, "content_type", fields.content_type,
                    "get_remaining_time_in_millis", @() ogni_remaining (deadline_ms),
                    "stream", @(type) ogni_stream (fields.request_id, type),
                    "function_name", getenv ("AWS_LAMBDA_FUNCTION_NAME"),
                    "function_version", getenv ("AWS_LAMBDA_FUNCTION_VERSION"),
                    "memory_limit_in_mb", getenv ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
                    "log_group_name", getenv ("AWS_LAMBDA_LOG_GROUP_NAME"),
                    "log_stream_name", getenv ("AWS_LAMBDA_LOG_STREAM_NAME"));
endfunction

function head = ogni_type_head (type)
  head = "";
  if (! isempty (type))
    head = sprintf ("content_type=%s\n", ogni_one_line (type));
  endif
endfunction

function write = ogni_stream (id, type)
  global ogni_streaming
  ogni_check_running (id);
  if (isempty (ogni_streaming))
    ogni_streaming = struct ("head", ogni_type_head (type), "begun", false);
  endif
  write = @(piece) ogni_write (id, piece);
endfunction

function ogni_check_running (id)
  global ogni_running
  if (! strcmp (id, ogni_running))
    error ("Ogni:ended", "the response has ended");
  endif
endfunction

function ogni_write (id, piece)
  global ogni_streaming
  ogni_check_running (id);
  if (! ischar (piece) && ! isa (piece, "uint8"))
    piece = disp_value (piece);
  endif
  if (ogni_streaming.begun)
    ogni_send ("chunk", "", piece);
  else
    ogni_streaming.begun = true;
    ogni_send ("stream", ogni_streaming.head, piece);
  endif
endfunction

function ogni_serve_one (fields, event)
  global ogni_handler ogni_running ogni_streaming
  ogni_running = fields.request_id;
  if (isfield (fields, "trace_id"))
    setenv ("_X_AMZN_TRACE_ID", fields.trace_id);
  else
    unsetenv ("_X_AMZN_TRACE_ID");
  endif
  if (! isfield (fields, "content_type") || strcmp (fields.content_type, "application/json"))
    event = char (event);
  endif
  head = "";
  try
    context = ogni_context (fields);
    type = "";
    try_two = nargout (ogni_handler);
    if (try_two > 1 || try_two < -1)
      [result, type] = feval (ogni_handler, event, context);
    elseif (try_two == 0)
      feval (ogni_handler, event, context);
      result = "";
    else
      result = feval (ogni_handler, event, context);
    endif
    if (! isempty (ogni_streaming))
      if (! ogni_streaming.begun)
        ogni_write (ogni_running, "");
      endif
      ogni_streaming = [];
      ogni_running = "";
      ogni_send ("end", "", "");
      return;
    endif
    head = ogni_type_head (type);
    if (! ischar (result) && ! isa (result, "uint8"))
      result = disp_value (result);
    endif
  catch error
    ogni_streaming = [];
    ogni_refuse ("error", ogni_type (error), error.message, ogni_stack (error));
    return;
  end_try_catch
  ogni_send ("result", head, result);
endfunction

function text = disp_value (value)
  if (isscalar (value) && (isnumeric (value) || islogical (value)))
    text = sprintf ("%.17g", value);
  else
    text = jsonencode (value);
  endif
endfunction

function ogni_serve ()
  global ogni_requests
  while (ischar (line = fgetl (ogni_requests)))
    sizes = sscanf (line, "%*s %d %d");
    fields = struct ();
    for pair = strsplit (char (ogni_take (sizes(1))), "\n")
      equals = find (pair{1} == "=", 1);
      if (! isempty (equals))
        fields.(pair{1}(1:equals-1)) = pair{1}(equals+1:end);
      endif
    endfor
    ogni_serve_one (fields, ogni_take (sizes(2)));
    fflush (stdout);
  endwhile
endfunction

more off
global ogni_requests ogni_replies ogni_handler ogni_owner ogni_running ogni_streaming
ogni_owner = getpid ();
ogni_streaming = [];
ogni_paths = argv ();
if (numel (ogni_paths) < 2)
  ogni_paths = {"/dev/fd/3", "/dev/fd/4"};
endif
ogni_requests = fopen (ogni_paths{end-1}, "r");
ogni_replies = fopen (ogni_paths{end}, "w");
fcntl (ogni_requests, F_SETFD, 1); % FD_CLOEXEC
fcntl (ogni_replies, F_SETFD, 1);
clear ogni_paths
ogni_load (getenv ("_HANDLER"));
ogni_send ("ready", "", "");
ogni_serve ();
