"""Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event."""

calls = 0


def handler(event, context):
    global calls
    match event:
        case {"name": name}:
            return {"message": f"Hello, {name}!"}
        case {"fail": reason}:
            raise ValueError(reason)
        case {"context": _}:
            return {"request_id": context.aws_request_id}
        case {"count": _}:
            calls += 1
            return {"count": calls}
    return event
