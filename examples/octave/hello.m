% Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
1;

function response = handler (text, context)
  persistent calls = 0;
  event = jsondecode (text);
  if (isfield (event, "name"))
    response = jsonencode (struct ("message", ["Hello, " event.name "!"]));
  elseif (isfield (event, "fail"))
    error ("Hello:failed", "%s", event.fail);
  elseif (isfield (event, "context"))
    response = jsonencode (struct ("request_id", context.aws_request_id));
  elseif (isfield (event, "count"))
    response = jsonencode (struct ("count", ++calls));
  else
    response = text;
  endif
endfunction
