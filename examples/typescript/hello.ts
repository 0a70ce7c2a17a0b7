// Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.

interface Context {
  awsRequestId: string;
  getRemainingTimeInMillis(): number;
}

type Event = { name: string } | { fail: string } | { context: true } | { count: true } | object;

let calls = 0;

export const handler = async (event: Event, context: Context): Promise<object> => {
  if ('name' in event) return { message: `Hello, ${event.name}!` };
  if ('fail' in event) throw new RangeError(event.fail);
  if ('context' in event) return { request_id: context.awsRequestId };
  if ('count' in event) return { count: ++calls };
  return event;
};
