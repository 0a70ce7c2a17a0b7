# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
$calls = 0

def handler(event:, context:)
  case event.keys
  when ["name"] then { message: "Hello, #{event["name"]}!" }
  when ["fail"] then raise ArgumentError, event["fail"]
  when ["context"] then { request_id: context.aws_request_id }
  when ["count"] then { count: $calls += 1 }
  else event
  end
end
