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

% The name of the handler's function. A variable could have the same: `exist` would find that.
function ogni_handler = ogni_load (name)
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

function left = ogni_remaining ()
  global ogni_deadline_ms
  left = max (0, ogni_deadline_ms - floor (time () * 1000));
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

% What is the same in the context of every invocation. The functions are those of whichever runs: to make handles that know
% which would take longer than all else here.
function context = ogni_function_context ()
  context = struct (
      "aws_request_id", "", "deadline_ms", 0, "invoked_function_arn", "", "trace_id", "", "client_context", "", "identity", "",
      "tenant_id", "", "content_type", "application/json", "get_remaining_time_in_millis", @ogni_remaining,
      "stream", @ogni_stream,
      "function_name", getenv ("AWS_LAMBDA_FUNCTION_NAME"), "function_version", getenv ("AWS_LAMBDA_FUNCTION_VERSION"),
      "memory_limit_in_mb", getenv ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
      "log_group_name", getenv ("AWS_LAMBDA_LOG_GROUP_NAME"), "log_stream_name", getenv ("AWS_LAMBDA_LOG_STREAM_NAME"));
endfunction

% Of any head.
function [context, is_json] = ogni_unusual (none, head)
  fields = ogni_fields (head);
  context = none;
  context.aws_request_id = fields.request_id;
  context.deadline_ms = str2double (fields.deadline_ms);
  context.invoked_function_arn = fields.invoked_function_arn;
  context.trace_id = fields.trace_id;
  context.client_context = fields.client_context;
  context.identity = fields.cognito_identity;
  context.tenant_id = fields.tenant_id;
  context.content_type = fields.content_type;
  is_json = any (strcmp (fields.content_type, {"", "application/json"}));
  if (isempty (fields.trace_id))
    unsetenv ("_X_AMZN_TRACE_ID");
  else
    setenv ("_X_AMZN_TRACE_ID", fields.trace_id);
  endif
endfunction

function head = ogni_type_head (type)
  head = "";
  if (! isempty (type))
    head = sprintf ("content_type=%s\n", ogni_one_line (type));
  endif
endfunction

function write = ogni_stream (type)
  global ogni_running ogni_streams ogni_begun ogni_stream_head
  id = ogni_running;
  if (! ogni_streams)
    ogni_streams = true;
    ogni_begun = false;
    ogni_stream_head = ogni_type_head (type);
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
  global ogni_begun ogni_stream_head
  ogni_check_running (id);
  if (! ischar (piece) && ! isa (piece, "uint8"))
    piece = disp_value (piece);
  endif
  if (ogni_begun)
    ogni_send ("chunk", "", piece);
  else
    ogni_begun = true;
    ogni_send ("stream", ogni_stream_head, piece);
  endif
endfunction

function ogni_end_stream ()
  global ogni_running ogni_streams ogni_begun
  if (! ogni_begun)
    ogni_write (ogni_running, "");
  endif
  ogni_streams = false;
  ogni_running = "";
  ogni_send ("end", "", "");
endfunction

function text = disp_value (value)
  if (isscalar (value) && (isnumeric (value) || islogical (value)))
    text = sprintf ("%.17g", value);
  else
    text = jsonencode (value);
  endif
endfunction

% The cost is the number of calls, one to three microseconds each, of a builtin function too: so this is one function, and what
% most heads hold, in the order in which it comes, is taken apart by one call.
function ogni_serve (requests, replies, ogni_handler)
  global ogni_running ogni_deadline_ms ogni_streams ogni_owner
  none = ogni_function_context ();
  call = str2func (ogni_handler);
  out = stdout;
  try
    outputs = nargout (ogni_handler);
  catch
    outputs = 1; % a builtin function
  end_try_catch
  type = "";
  is_typed = outputs > 1 || outputs < -1;
  usual_rest = "content_type=application/json\n";
  while (ischar (line = fgetl (requests)))
    sizes = sscanf (line, "%*s %d %d");
    total = sizes(1) + sizes(2);
    [data, count] = fread (requests, [1, total], "uint8=>char");
    if (count < total)
      return;
    endif
    head = data(1:sizes(1));
    event = "";
    if (sizes(2) > 0)
      event = data(sizes(1)+1:total);
    endif
    [id, deadline_ms, arn, rest] = sscanf (
        head, "request_id=%[^\n]\ndeadline_ms=%f\ninvoked_function_arn=%[^\n]\n%[^\1]", "C");
    context = none;
    context.aws_request_id = id;
    context.deadline_ms = deadline_ms;
    context.invoked_function_arn = arn;
    if (strcmp (rest, usual_rest))
      unsetenv ("_X_AMZN_TRACE_ID");
    else
      [trace, rest] = sscanf (rest, "trace_id=%[^\n]\n%[^\1]", "C");
      if (strcmp (rest, usual_rest))
        setenv ("_X_AMZN_TRACE_ID", trace);
        context.trace_id = trace;
      else
        [context, is_json] = ogni_unusual (none, head);
        id = context.aws_request_id;
        deadline_ms = context.deadline_ms;
        if (! is_json)
          event = uint8 (event);
        endif
      endif
    endif
    ogni_running = id;
    ogni_deadline_ms = deadline_ms;
    try
      if (is_typed)
        [result, type] = call (event, context);
      elseif (outputs == 0)
        call (event, context);
        result = "";
      else
        result = call (event, context);
      endif
      if (ogni_streams)
        ogni_end_stream ();
      else
        if (! ischar (result) && ! isa (result, "uint8"))
          result = disp_value (result);
        endif
        if (is_typed || getpid () != ogni_owner)
          ogni_send ("result", ogni_type_head (type), result);
        else
          fputs (replies, [sprintf("result 0 %d\n", numel (result)), result(:).']);
          fflush (replies);
        endif
      endif
    catch error
      ogni_streams = false;
      ogni_refuse ("error", ogni_type (error), error.message, ogni_stack (error));
    end_try_catch
    fflush (out);
  endwhile
endfunction

more off
global ogni_replies ogni_owner ogni_running ogni_streams
ogni_owner = getpid ();
ogni_streams = false;
ogni_paths = argv ();
if (numel (ogni_paths) < 2)
  ogni_paths = {"/dev/fd/3", "/dev/fd/4"};
endif
ogni_requests = fopen (ogni_paths{end-1}, "r");
ogni_replies = fopen (ogni_paths{end}, "w");
fcntl (ogni_requests, F_SETFD, 1); % FD_CLOEXEC
fcntl (ogni_replies, F_SETFD, 1);
clear ogni_paths
ogni_handler = ogni_load (getenv ("_HANDLER"));
ogni_send ("ready", "", "");
ogni_serve (ogni_requests, ogni_replies, ogni_handler);
