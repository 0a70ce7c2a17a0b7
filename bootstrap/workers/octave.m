% The Octave worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
%
% `hello.handler` is function handler of hello.m (a script file with functions): handler (event, context). The event is a
% string (uint8 where it is not JSON), the context a struct. The response is a string, uint8, or a number; a second result
% names its type. write = context.stream (type) makes it a streamed one: write (piece) sends a piece at once, and what the
% function returns is then ignored.
1;

% The first call says where to.
function ogni_send (kind, head, body)
  persistent replies owner
  if (nargin == 1)
    mlock ();
    replies = kind;
    owner = getpid ();
    return;
  endif
  % A process that the handler forked and that came back here ends: the channel is not its own.
  if (getpid () != owner)
    kill (getpid (), SIG ().KILL);
  endif
  % Octave's strings are bytes already.
  fputs (replies, [sprintf("%s %d %d\n", kind, numel (head), numel (body)), head, char(body(:).')]);
  fflush (replies);
endfunction

function text = ogni_one_line (text)
  if (nargin == 0)
    mlock ();
    return;
  endif
  text(text == "\n" | text == "\r") = " ";
endfunction

function ogni_refuse (kind, type, message, stack)
  if (nargin == 0)
    mlock ();
    return;
  endif
  fprintf (stderr, "[ERROR] %s: %s\n%s", type, message, stack);
  head = sprintf ("type=%s\nmessage_bytes=%d\n", ogni_one_line (type), numel (message));
  ogni_send (kind, head, [message, "\n", stack]);
endfunction

function ogni_give_up (type, message, stack)
  if (nargin == 0)
    mlock ();
    return;
  endif
  ogni_refuse ("init-error", type, message, stack);
  exit (1);
endfunction

% The frames of the handler, without the worker's own.
function text = ogni_stack (error)
  if (nargin == 0)
    mlock ();
    return;
  endif
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
  if (nargin == 0)
    mlock ();
    return;
  endif
  type = error.identifier;
  if (isempty (type))
    type = "Error";
  endif
endfunction

% The name of the handler's function. A variable could have the same: `exist` would find that.
function ogni_handler = ogni_load (name)
  if (nargin == 0)
    mlock ();
    return;
  endif
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
  mlock ();
  global ogni_deadline_ms
  left = max (0, ogni_deadline_ms - floor (time () * 1000));
endfunction

% The fields of a head; those that are not there are empty.
function fields = ogni_fields (head)
  if (nargin == 0)
    mlock ();
    return;
  endif
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
  mlock ();
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
  if (nargin == 0)
    mlock ();
    return;
  endif
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
  if (nargin == 0)
    mlock ();
    return;
  endif
  head = "";
  if (! isempty (type))
    head = sprintf ("content_type=%s\n", ogni_one_line (type));
  endif
endfunction

function write = ogni_stream (type)
  if (nargin == 0)
    mlock ();
    return;
  endif
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
  if (nargin == 0)
    mlock ();
    return;
  endif
  global ogni_running
  if (! strcmp (id, ogni_running))
    error ("Ogni:ended", "the response has ended");
  endif
endfunction

function ogni_write (id, piece)
  if (nargin == 0)
    mlock ();
    return;
  endif
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

function ogni_end_stream (id)
  if (nargin == 0)
    mlock ();
    return;
  endif
  global ogni_running ogni_streams ogni_begun
  if (! ogni_begun)
    ogni_write (id, "");
  endif
  ogni_streams = false;
  ogni_running = "";
  ogni_send ("end", "", "");
endfunction

function text = disp_value (value)
  if (nargin == 0)
    mlock ();
    return;
  endif
  if (isscalar (value) && (isnumeric (value) || islogical (value)))
    text = sprintf ("%.17g", value);
  else
    text = jsonencode (value);
  endif
endfunction

% The cost is the number of calls, one to three microseconds each, of a builtin function too: so this is one function, and what
% most heads hold, in the order in which it comes, is taken apart by one call.
function ogni_serve (requests, replies, ogni_handler)
  if (nargin == 0)
    mlock ();
    return;
  endif
  global ogni_running ogni_deadline_ms ogni_streams
  owner = getpid ();
  none = ogni_function_context ();
  call = str2func (ogni_handler);
  out = stdout;
  try
    outputs = nargout (ogni_handler);
  catch
    outputs = 1; % a builtin function
  end_try_catch
  type = "";
  type_before = "";
  type_head = "";
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
    global ogni_running ogni_deadline_ms % again, for a handler may have cleared them
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
      global ogni_streams
      if (ogni_streams)
        ogni_end_stream (id);
      else
        if (ogni_streams == false)
        else % it is empty: the handler has cleared all, itself too
          call = str2func (ogni_load (getenv ("_HANDLER")));
          ogni_streams = false;
        endif
        if (! ischar (result) && ! isa (result, "uint8"))
          result = disp_value (result);
        endif
        if (is_typed || getpid () != owner)
          if (! strcmp (type, type_before))
            type_head = ogni_type_head (type);
            type_before = type;
          endif
          ogni_send ("result", type_head, result);
        else
          fputs (replies, [sprintf("result 0 %d\n", numel (result)), result(:).']);
          fflush (replies);
        endif
      endif
    catch error
      global ogni_streams
      if (isempty (ogni_streams))
        call = str2func (ogni_load (getenv ("_HANDLER")));
      endif
      ogni_streams = false;
      ogni_refuse ("error", ogni_type (error), error.message, ogni_stack (error));
    end_try_catch
    fflush (out);
  endwhile
endfunction

% `clear all`, with which many scripts begin, spares what is locked and runs.
function ogni_main ()
  global ogni_streams
  for name = {"ogni_one_line", "ogni_refuse", "ogni_give_up", "ogni_stack", "ogni_type", "ogni_remaining", "ogni_fields", ...
              "ogni_function_context", "ogni_unusual", "ogni_type_head", "ogni_stream", "ogni_check_running", "ogni_write", ...
              "ogni_end_stream", "disp_value", "ogni_load", "ogni_serve"}
    feval (name{1});
  endfor
  ogni_streams = false;
  paths = argv ();
  if (numel (paths) < 2)
    paths = {"/dev/fd/3", "/dev/fd/4"};
  endif
  requests = fopen (paths{end-1}, "r");
  replies = fopen (paths{end}, "w");
  fcntl (requests, F_SETFD, 1); % FD_CLOEXEC
  fcntl (replies, F_SETFD, 1);
  ogni_send (replies);
  handler = ogni_load (getenv ("_HANDLER"));
  ogni_send ("ready", "", "");
  ogni_serve (requests, replies, handler);
endfunction

more off
ogni_main ();
