// The Node.js worker: loads the handler once and serves invocations as docs/worker-protocol.md says. It behaves as AWS's
// own Node.js runtime towards the handler: `index.handler` of index.js, .mjs or .cjs, async or with a callback, or made
// by awslambda.streamifyResponse.
//
// It reads requests synchronously: between invocations nothing else runs, as in an environment that AWS has frozen.
'use strict';
const fs = require('fs');
const path = require('path');

const MANAGED = (process.env.AWS_EXECUTION_ENV || '').startsWith('AWS_Lambda_nodejs');
const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const ENDS = 'ends=yes\n'; // the worker's last word: another one serves the next invocation

// A failure that is the runtime's to name, not an exception of the handler.
class Fault extends Error {
  constructor(name, message) {
    super(message);
    Object.defineProperty(this, 'name', { value: name, configurable: true, writable: true });
    this.stack = `${name}: ${message}`;
  }
}

// --- the private pair of descriptors -------------------------------------------------------------------------------

// Opened anew they are close-on-exec.
function reopen(descriptor, flags) {
  try {
    const opened = fs.openSync(`/proc/self/fd/${descriptor}`, flags);
    fs.closeSync(descriptor);
    return opened;
  } catch {
    return descriptor;
  }
}

const requests = reopen(3, 'r');
const replies = reopen(4, 'w');
const buffer = Buffer.allocUnsafe(65536);

// The next request as {fields, event}, or null when there will be no more. The event lies in a buffer used again.
function receive() {
  let size = 0;
  let end = -1;
  while (end < 0) {
    const count = fs.readSync(requests, buffer, size, buffer.length - size, null);
    if (count === 0) return null;
    end = buffer.subarray(0, (size += count)).indexOf(10);
  }
  const [, headBytes, bodyBytes] = buffer.latin1Slice(0, end).split(' ');
  const start = end + 1;
  const head = start + Number(headBytes);
  const total = head + Number(bodyBytes);
  let data = buffer;
  if (total > buffer.length) {
    data = Buffer.allocUnsafe(total);
    buffer.copy(data, 0, 0, size);
  }
  while (size < total) {
    const count = fs.readSync(requests, data, size, total - size, null);
    if (count === 0) return null;
    size += count;
  }
  const fields = {};
  for (const line of data.utf8Slice(start, head).split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) fields[line.slice(0, equals)] = line.slice(equals + 1);
  }
  return { fields, event: data.subarray(head, total) };
}

const pause = new Int32Array(new SharedArrayBuffer(4));

// Returns when all is written. A pipe that a process has made non-blocking may be full: that is waited for.
function write(descriptor, data) {
  for (let at = 0; at < data.length; ) {
    try {
      at += fs.writeSync(descriptor, data, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

function send(kind, head, body) {
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  if (requestId) head = `request_id=${requestId}\n${head}`;
  const start = `${kind} ${Buffer.byteLength(head)} ${bytes}\n${head}`;
  if (typeof body === 'string') return write(replies, Buffer.from(start + body));
  write(replies, Buffer.concat([Buffer.from(start), body]));
}

// --- errors --------------------------------------------------------------------------------------------------------

const NATIVE = (value) => require('util').types.isNativeError(value);
const looksLikeError = (value) => ['name', 'message', 'stack'].every((name) => value?.[name] && typeof value[name] === 'string');

// As AWS reports what was thrown, which need not be an Error.
function report(thrown) {
  try {
    if (NATIVE(thrown) || looksLikeError(thrown)) {
      const plain = (text) => text?.replaceAll('\x7f', '%7F');
      return {
        errorType: plain(thrown.name),
        errorMessage: plain(thrown.message),
        trace: plain(thrown.stack).split('\n').filter((line) => !line.includes(__filename)),
      };
    }
    return { errorType: typeof thrown, errorMessage: thrown.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage: 'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

// What is logged of an error: beside its name, message and stack what it has of its own, and so for the errors in that.
function textOf(thrown) {
  const open = (value) =>
    value instanceof Error
      ? {
          errorType: value.name,
          errorMessage: value.message,
          code: value.code,
          ...value,
          ...(typeof value.stack === 'string' && { stack: value.stack.split('\n').filter((line) => !line.includes(__filename)) }),
        }
      : value;
  const error = thrown instanceof Error ? thrown : new Error(thrown);
  try {
    return JSON.stringify(error, (_, value) => open(value));
  } catch {
    return JSON.stringify(report(error));
  }
}

function logError(thrown, title) {
  const error = report(thrown);
  if (LOGS_JSON) {
    logObject('ERROR', [thrown instanceof Error ? thrown : new Error(error.errorMessage)], 2);
    return error;
  }
  log('ERROR', `${title} \t${textOf(thrown)}`, 2);
  return error;
}

function fail(kind, thrown, title, more = '') {
  const error = logError(thrown, title);
  const type = String(error.errorType).replace(/[\r\n]/g, ' ');
  send(kind, `type=${type}\ncontent_type=application/json\n${more}`, JSON.stringify(error));
}

// --- the log -------------------------------------------------------------------------------------------------------

let requestId;
let tenantId;
const LOGS_JSON = (process.env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const LEAST = LEVELS.indexOf((process.env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase());

function log(level, text, descriptor = 1) {
  try {
    const line = MANAGED ? `${new Date().toISOString()}\t${requestId}\t${level}\t${text}\n` : text + '\n';
    write(descriptor, Buffer.from(line));
  } catch {
    // The handler has closed it.
  }
}

// Node.js makes a pipe non-blocking and keeps what does not fit for later; but between invocations it does not run, and
// after an exit there is no later. So the streams of the log are written when they are asked to. They are made when they are
// first used, as always.
function writeAtOnce(name, descriptor) {
  const property = Object.getOwnPropertyDescriptor(process, name);
  let stream;
  const get = () => {
    if (stream) return stream;
    stream = property.get.call(process);
    stream._handle?.setBlocking?.(true); // for the programs that the handler starts, which share the pipe
    stream._writev = null;
    stream._write = (data, encoding, done) => {
      try {
        write(descriptor, typeof data === 'string' ? Buffer.from(data, encoding) : data);
        done();
      } catch (error) {
        done(error);
      }
    };
    return stream;
  };
  Object.defineProperty(process, name, { ...property, get });
}

function logObject(level, values, descriptor = 1) {
  try {
    write(descriptor, Buffer.from(entryOf(level, values) + '\n'));
  } catch {
    // The handler has closed it.
  }
}

// As AWS: every entry of the console names time, request and level, and is one write. Levels below the function's are dropped.
function patchConsole() {
  const { format } = require('util');
  const levels = { log: 'INFO', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR', trace: 'TRACE', fatal: 'FATAL' };
  for (const [name, level] of Object.entries(levels)) {
    if (LEVELS.indexOf(level) < LEAST) console[name] = () => {};
    else if (LOGS_JSON) console[name] = (...values) => logObject(level, values);
    else console[name] = (...values) => log(level, format(...values));
  }
}

const membersOf = (error) => ({
  errorType: (error instanceof Fault ? error.name : error.constructor?.name) ?? 'UnknownError',
  errorMessage: error.message,
  stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : error.stack,
});

// One value is the entry's message as it is, an error as an object; of several the text is.
function entryOf(level, values) {
  const { format } = require('util');
  const entry = { timestamp: new Date().toISOString(), level, requestId, tenantId };
  if (values.length === 1) {
    try {
      const withErrors = (_, value) => (value instanceof Error ? { ...membersOf(value), ...value } : value);
      return JSON.stringify({ ...entry, message: values[0] }, withErrors);
    } catch {
      // It has no JSON.
    }
  }
  const error = values.length > 1 ? values.find((value) => value instanceof Error) : undefined;
  return JSON.stringify({ ...entry, message: format(...values), ...(error && membersOf(error)) });
}

// --- the handler ---------------------------------------------------------------------------------------------------

// As from there AWS's own runtime requires: what it resolves by name comes from NODE_PATH, whatever file this is.
const requireAsRuntime = require('module').createRequire('/var/runtime/index.mjs');

// The nearest package.json says whether a .js file is a module of ECMAScript.
function isModule(folder) {
  if (folder.endsWith('/node_modules')) return false;
  const file = path.join(folder, 'package.json');
  if (fs.existsSync(file)) {
    try {
      return JSON.parse(fs.readFileSync(file))?.type === 'module';
    } catch (error) {
      console.warn(`${file} cannot be read: ${error.message}`);
      return false;
    }
  }
  return folder !== '/' && isModule(path.dirname(folder));
}

// `folder` and `name` in the task root, an absolute folder where it is; else the name as any program would require it.
async function loadModule(root, folder, name) {
  const file = path.resolve(root, folder, name);
  const tried = [
    ['', requireAsRuntime],
    ['.js', fs.existsSync(file + '.js') && isModule(path.dirname(file)) ? (found) => import(found) : requireAsRuntime],
    ['.mjs', (found) => import(found)],
    ['.cjs', requireAsRuntime],
  ];
  for (const [extension, get] of tried) {
    const loaded = fs.existsSync(file + extension) && (await get(file + extension));
    if (loaded) return loaded;
  }
  return requireAsRuntime(requireAsRuntime.resolve(name, { paths: [root, folder] }));
}

// The name of a fault of the runtime, with what was thrown as its message and behind it in the stack.
function faultOf(name, error) {
  const fault = new Fault(name, String(error));
  if (typeof error?.stack === 'string') fault.stack += '\n' + error.stack;
  return fault;
}

async function load(name) {
  if (name.includes('..')) {
    throw new Fault('Runtime.MalformedHandlerName',
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(name);
  const match = /^([^.]*)\.(.*)$/.exec(base);
  if (!match) throw new Fault('Runtime.MalformedHandlerName', 'Bad handler');
  let loaded;
  try {
    loaded = await loadModule(process.env.LAMBDA_TASK_ROOT || process.cwd(), name.slice(0, name.indexOf(base)), match[1]);
  } catch (error) {
    if (error instanceof SyntaxError) throw faultOf('Runtime.UserCodeSyntaxError', error);
    if (error?.code === 'MODULE_NOT_FOUND') throw faultOf('Runtime.ImportModuleError', error);
    throw error;
  }
  const find = (from) => match[2].split('.').reduce((value, key) => value && value[key], from);
  const handler = find(loaded) || (!MANAGED && find(loaded.default));
  if (!handler) throw new Fault('Runtime.HandlerNotFound', `${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw new Fault('Runtime.HandlerNotFound', `${name} is not a function`);
  return handler;
}

function parseField(text, title) {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${title} as json: ${error}`);
  }
}

// As the platform says it, whatever a handler makes of its environment.
const FUNCTION = ['FUNCTION_VERSION', 'FUNCTION_NAME', 'FUNCTION_MEMORY_SIZE', 'LOG_GROUP_NAME', 'LOG_STREAM_NAME']
  .map((name) => process.env['AWS_LAMBDA_' + name]);

function makeContext(fields) {
  const deadline = Number(fields.deadline_ms || 0);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: FUNCTION[0],
    functionName: FUNCTION[1],
    memoryLimitInMB: FUNCTION[2],
    logGroupName: FUNCTION[3],
    logStreamName: FUNCTION[4],
    clientContext: parseField(fields.client_context, 'ClientContext'),
    identity: parseField(fields.cognito_identity, 'CognitoIdentity'),
    invokedFunctionArn: fields.invoked_function_arn,
    awsRequestId: fields.request_id,
    tenantId: fields.tenant_id,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function sendResult(value) {
  if (value instanceof Uint8Array && !MANAGED) return send('result', 'content_type=application/octet-stream\n', Buffer.from(value));
  let text;
  try {
    text = JSON.stringify(value === undefined ? null : value) ?? 'null';
  } catch {
    throw new Error('Unable to stringify response body');
  }
  send('result', 'content_type=application/json\n', text);
}

const NEVER_SETTLED = 'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a ' +
  'Promise that was never settled. For more information, see https://nodejs.org/docs/latest/api/process.html#exit-codes';
const isAsync = (handler) => handler.constructor?.name === 'AsyncFunction';

// One invocation; `next` starts the one after it. It ends once: by the handler's promise, its callback, or an exception
// that nobody caught.
function serve(handler, { fields, event }, next) {
  let ended = false;
  const end = (action) => {
    if (ended) return;
    ended = true;
    process.removeAllListeners('beforeExit');
    try {
      action();
    } catch (error) {
      fail('error', error, 'Invoke Error');
    }
    setImmediate(next);
  };
  const succeed = (value) => end(() => sendResult(value));
  const refuse = (error) => end(() => fail('error', error ?? 'handled', 'Invoke Error'));
  current = {
    uncaught: (error, title) => {
      if (!ended) return end(() => { fail('error', error, title, ENDS); isOver = true; });
      logError(error, title); // the answer has gone, and to end now would cost the next invocation
    },
  };

  requestId = fields.request_id;
  tenantId = fields.tenant_id;
  if (fields.trace_id) process.env._X_AMZN_TRACE_ID = fields.trace_id;
  else delete process.env._X_AMZN_TRACE_ID;
  let context;
  let argument = event;
  try {
    context = makeContext(fields);
    if ((fields.content_type || 'application/json') === 'application/json') {
      argument = JSON.parse(event.utf8Slice(0, event.length));
    } else {
      argument = Buffer.from(event);
    }
  } catch (error) {
    return refuse(error);
  }
  if (handler[STREAMING]) return serveStream(handler, argument, context, refuse, end, () => ended);

  let called = false; // what the promise of such a handler becomes does not count
  const callback = (error, value) => {
    if (ended || called) return;
    called = true;
    process.removeAllListeners('beforeExit');
    if (error !== null && error !== undefined) return refuse(error);
    if (!context.callbackWaitsForEmptyEventLoop) return succeed(value);
    process.once('beforeExit', () => succeed(value));
  };
  context.done = (error, value) => { context.callbackWaitsForEmptyEventLoop = false; callback(error, value); };
  context.succeed = (value) => context.done(null, value);
  context.fail = (error) => context.done(error ?? 'handled');
  try {
    const returned = handler(argument, context, callback);
    if (returned && typeof returned.then === 'function') {
      const unlessCalled = (action) => (value) => called || action(value);
      returned.then(unlessCalled(succeed), unlessCalled(refuse));
    }
    if (!ended) process.once('beforeExit', () => (isAsync(handler) ? refuse(new Fault('Runtime.NodeJsExit', NEVER_SETTLED)) : succeed(null)));
  } catch (error) {
    callback(error);
  }
}

// --- streamed responses ----------------------------------------------------------------------------------------------

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = 'response';
    if (options?.highWaterMark) handler[Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark')] = options.highWaterMark;
    return handler;
  },
  HttpResponseStream: {
    // The status, headers and cookies of an HTTP answer go ahead of its body.
    from(stream, metadata) {
      stream.setContentType('application/vnd.awslambda.http-integration-response');
      stream.write(JSON.stringify(metadata));
      stream.write(Buffer.alloc(8));
      return stream;
    },
  },
};

// What is written after the invocation has ended is an error of the stream: by then the replies belong to the next one.
function serveStream(handler, event, context, refuse, end, isEnded) {
  const { Writable } = require('stream');
  let contentType = 'application/octet-stream';
  let begun = false;
  const stream = new Writable({
    highWaterMark: handler[Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark')] || 64 * 1024,
    write(chunk, encoding, done) {
      if (isEnded()) return done(new Error('the response has ended'));
      if (begun) send('chunk', '', chunk);
      else send('stream', `content_type=${contentType}\n`, chunk);
      begun = true;
      done();
    },
    final(done) {
      end(() => {
        if (!begun) send('stream', `content_type=${contentType}\n`, '');
        send('end', '', '');
      });
      done();
    },
  });
  stream.setContentType = (type) => (contentType = String(type).replace(/[\r\n]/g, ' '));
  const fail = (error) => { refuse(error); stream.destroy(); };
  stream.on('error', fail);
  Promise.resolve()
    .then(() => handler(event, stream, context))
    .then(() => { if (!stream.writableEnded && !isEnded()) process.once('beforeExit', () => stream.end()); }, fail);
}

// --- the loop ------------------------------------------------------------------------------------------------------

const UNCAUGHT = 'Uncaught Exception';
let current = null;
let isOver = false;

function stopped(title) {
  return (error) => {
    if (current) return current.uncaught(error, title);
    fail('init-error', error, title);
    process.exit(title === UNCAUGHT ? 129 : 128);
  };
}

async function main() {
  writeAtOnce('stdout', 1);
  writeAtOnce('stderr', 2);
  if (MANAGED || LOGS_JSON) patchConsole();
  const wanted = /^AWS_Lambda_(nodejs(\d+)\.x)$/.exec(process.env.AWS_EXECUTION_ENV);
  if (wanted && wanted[2] !== process.versions.node.split('.')[0]) {
    console.warn(`ogni: ${wanted[1]} runs on Node.js ${process.versions.node}, which is the version that is here`);
  }
  let handler;
  try {
    handler = await load(process.env._HANDLER || '');
  } catch (error) {
    stopped(UNCAUGHT)(error);
  }
  send('ready', 'names_requests=yes\n', '');
  const next = () => {
    if (isOver) process.exit(1);
    const request = receive();
    if (!request) process.exit(0);
    serve(handler, request, next);
  };
  setImmediate(next);
}

process.on('uncaughtException', stopped(UNCAUGHT));
process.on('unhandledRejection', (reason, promise) => {
  stopped('Unhandled Promise Rejection')(Object.assign(faultOf('Runtime.UnhandledPromiseRejection', reason), { reason, promise }));
});
main();
