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
  % Octave's strings are bytes already.
  fputs (ogni_replies, [sprintf("%s %d %d\n", kind, numel (head), numel (body)), head, char(body(:).')]);
  fflush (ogni_replies);
endfunction

% So many bytes as a string.
function text = ogni_take (count)
  global ogni_requests
  text = "";
  if (count > 0)
    text = fread (ogni_requests, count, "uint8=>char").';
  endif
  while (numel (text) < count)
    more = fread (ogni_requests, count - numel (text), "uint8=>char").';
    if (isempty (more))
      exit (0);
    endif
    text = [text, more];
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

% The fields of a head; those that are not there are empty.
function fields = ogni_fields (head)
  persistent none = struct ("request_id", "", "deadline_ms", "0", "invoked_function_arn", "", "trace_id", "",
                            "client_context", "", "cognito_identity", "", "tenant_id", "", "content_type", "");
  fields = none;
  for pair = regexp (head, "([^=\n]+)=([^\n]*)\n", "tokens")
    fields.(pair{1}{1}) = pair{1}{2};
  endfor
endfunction

function context = ogni_context (fields)
  persistent function_context = struct (
      "aws_request_id", "", "deadline_ms", 0, "invoked_function_arn", "", "trace_id", "", "client_context", "", "identity", "",
      "tenant_id", "", "content_type", "", "get_remaining_time_in_millis", "", "stream", "",
      "function_name", getenv ("AWS_LAMBDA_FUNCTION_NAME"), "function_version", getenv ("AWS_LAMBDA_FUNCTION_VERSION"),
      "memory_limit_in_mb", getenv ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
      "log_group_name", getenv ("AWS_LAMBDA_LOG_GROUP_NAME"), "log_stream_name", getenv ("AWS_LAMBDA_LOG_STREAM_NAME"));
  deadline_ms = str2double (fields.deadline_ms);
  context = function_context;
  context.aws_request_id = fields.request_id;
  context.deadline_ms = deadline_ms;
  context.invoked_function_arn = fields.invoked_function_arn;
  context.trace_id = fields.trace_id;
  context.client_context = fields.client_context;
  context.identity = fields.cognito_identity;
  context.tenant_id = fields.tenant_id;
  context.content_type = fields.content_type;
  context.get_remaining_time_in_millis = @() ogni_remaining (deadline_ms);
  context.stream = @(type) ogni_stream (fields.request_id, type);
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
  global ogni_handler ogni_outputs ogni_running ogni_streaming
  ogni_running = fields.request_id;
  if (isempty (fields.trace_id))
    unsetenv ("_X_AMZN_TRACE_ID");
  else
    setenv ("_X_AMZN_TRACE_ID", fields.trace_id);
  endif
  if (! isempty (fields.content_type) && ! strcmp (fields.content_type, "application/json"))
    event = uint8 (event);
  endif
  head = "";
  try
    context = ogni_context (fields);
    type = "";
    if (isempty (ogni_outputs))
      ogni_outputs = nargout (ogni_handler);
    endif
    if (ogni_outputs > 1 || ogni_outputs < -1)
      [result, type] = feval (ogni_handler, event, context);
    elseif (ogni_outputs == 0)
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
    fields = ogni_fields (ogni_take (sizes(1)));
    ogni_serve_one (fields, ogni_take (sizes(2)));
    fflush (stdout);
  endwhile
endfunction

more off
global ogni_requests ogni_replies ogni_handler ogni_outputs ogni_owner ogni_running ogni_streaming
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
