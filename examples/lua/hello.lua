-- Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
local calls = 0

function handler(event, context)
  local name = event:match('^{"name":"(.*)"}$')
  local reason = event:match('^{"fail":"(.*)"}$')
  if name then
    return ('{"message":"Hello, %s!"}'):format(name)
  elseif reason then
    error(reason)
  elseif event:find('{"context":', 1, true) == 1 then
    return ('{"request_id":"%s"}'):format(context.aws_request_id)
  elseif event:find('{"count":', 1, true) == 1 then
    calls = calls + 1
    return ('{"count":%d}'):format(calls)
  end
  return event
end
