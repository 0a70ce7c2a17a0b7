// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
let calls = 0;

export const handler = async (event, context) => {
  if ('name' in event) return { message: `Hello, ${event.name}!` };
  if ('fail' in event) throw new RangeError(event.fail);
  if ('context' in event) return { request_id: context.awsRequestId };
  if ('count' in event) return { count: ++calls };
  return event;
};
