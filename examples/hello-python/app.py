"""Greets whoever the event names, and returns any other event as it came."""


def handler(event, context):
    if isinstance(event, dict) and list(event) == ["name"]:
        return {"message": f"Hello, {event['name']}!"}
    return event
