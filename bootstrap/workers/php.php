<?php
// The PHP worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
//
// `hello.handler` is function `handler` of hello.php, or what that file returns: handler($event, $context). The event is
// decoded JSON (arrays); what is returned is encoded. A stream is a response of bytes as they are, a generator of strings one
// that is sent piece by piece. What is echoed is log.

namespace Lambda {
    /** What the handler gets as its second argument. */
    final class Context
    {
        public string $functionName;
        public string $functionVersion;
        public string $memoryLimitInMb;
        public string $logGroupName;
        public string $logStreamName;
        public ?string $contentType = null; // of a response; set by the handler

        public function __construct(
            public string $awsRequestId,
            public int $deadlineMs,
            public string $invokedFunctionArn,
            public ?string $traceId,
            public ?array $clientContext,
            public ?array $identity,
            public ?string $tenantId,
        ) {
            $this->functionName = (string) getenv('AWS_LAMBDA_FUNCTION_NAME');
            $this->functionVersion = (string) getenv('AWS_LAMBDA_FUNCTION_VERSION');
            $this->memoryLimitInMb = (string) getenv('AWS_LAMBDA_FUNCTION_MEMORY_SIZE');
            $this->logGroupName = (string) getenv('AWS_LAMBDA_LOG_GROUP_NAME');
            $this->logStreamName = (string) getenv('AWS_LAMBDA_LOG_STREAM_NAME');
        }

        public function getAwsRequestId(): string
        {
            return $this->awsRequestId;
        }

        public function getInvokedFunctionArn(): string
        {
            return $this->invokedFunctionArn;
        }

        public function getTraceId(): ?string
        {
            return $this->traceId;
        }

        public function getRemainingTimeInMillis(): int
        {
            return max(0, $this->deadlineMs - (int) (microtime(true) * 1000));
        }
    }
}

namespace Lambda\Worker {
    use Lambda\Context;

    /** A failure that is the runtime's to name. */
    final class Fault extends \RuntimeException
    {
        public function __construct(public string $type, string $message)
        {
            parent::__construct($message);
        }
    }

    /** The private pair of pipes. PHP cannot move descriptors or make them close-on-exec, only open paths so. */
    final class Channel
    {
        private $requests;
        private $replies;
        private int $owner;

        public function __construct(string $requests, string $replies)
        {
            $this->claim();
            // PHP would follow the link that /dev/fd/3 is to a name that no file has.
            $this->requests = fopen(str_replace('/dev/fd/', 'php://fd/', $requests), 'rbe');
            $this->replies = fopen(str_replace('/dev/fd/', 'php://fd/', $replies), 'wbe');
            if (!$this->requests || !$this->replies) {
                throw new Fault('Runtime.Unknown', "Unable to open $requests and $replies");
            }
            // A read of this stream is a read of the pipe.
            stream_set_read_buffer($this->requests, 0);
            stream_set_write_buffer($this->replies, 0);
            stream_set_chunk_size($this->replies, 1 << 20);
        }

        /** Makes the calling process the one that answers. */
        public function claim(): void
        {
            $this->owner = getmypid();
        }

        /** A process that the handler forked and that came back here ends: the channel is not its own. */
        private function checkOwner(): void
        {
            if (getmypid() !== $this->owner) {
                exit(0);
            }
        }

        public function close(): void
        {
            fclose($this->requests);
            fclose($this->replies);
        }

        /** The next request as [kind, fields, event], or null when there will be no more. */
        public function receive(): ?array
        {
            $this->checkOwner();
            $line = fgets($this->requests);
            if ($line === false) {
                return null;
            }
            [$kind, $headBytes, $bodyBytes] = explode(' ', $line);
            // No more than that: of a file with a name PHP reads until it has all it was asked for.
            $left = (int) $headBytes + (int) $bodyBytes;
            $data = '';
            while ($left > 0) {
                $more = fread($this->requests, $left);
                if ($more === false || $more === '') {
                    return null;
                }
                $data .= $more;
                $left -= strlen($more);
            }
            $fields = [];
            foreach (explode("\n", substr($data, 0, (int) $headBytes)) as $line) {
                [$name, $value] = explode('=', $line, 2) + [1 => ''];
                $fields[$name] = $value;
            }
            return [$kind, $fields, substr($data, (int) $headBytes)];
        }

        public function send(string $kind, string $head = '', string $body = ''): void
        {
            $this->checkOwner();
            $data = $kind . ' ' . strlen($head) . ' ' . strlen($body) . "\n" . $head . $body;
            $written = 0;
            while ($written < strlen($data)) {
                $count = fwrite($this->replies, $written === 0 ? $data : substr($data, $written));
                if ($count === false) {
                    exit(1);
                }
                $written += $count;
            }
        }
    }

    final class Runtime
    {
        private const FATAL = E_ERROR | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

        private bool $busy = false;

        public function __construct(private Channel $channel)
        {
        }

        public function serve(): void
        {
            try {
                $handler = $this->load((string) getenv('_HANDLER'));
            } catch (\Throwable $error) {
                $this->fail('init-error', $error);
                exit(1);
            }
            // What cannot be caught (memory, a time limit) is still told; exit() is the platform's to word.
            register_shutdown_function(function () {
                $error = error_get_last();
                if ($this->busy && $error !== null && ($error['type'] & self::FATAL)) {
                    $message = $error['message'];
                    $head = "type=FatalError\nends=yes\nmessage_bytes=" . strlen($message) . "\n";
                    $this->channel->send('error', $head, "$message\n{$error['file']}:{$error['line']}");
                }
            });
            $forks = function_exists('pcntl_fork') && function_exists('posix_kill');
            $this->channel->send('ready', $forks ? "forks=yes\n" : '');
            while (($request = $this->channel->receive()) !== null) {
                if (array_shift($request) === 'fork') {
                    $this->fork($request[0]);
                    continue;
                }
                $this->busy = true;
                $this->serveOne($handler, ...$request);
                $this->busy = false;
                unset($request);
            }
        }

        /** Returns in this process and in the new one, which is another's child and has descriptors of its own. */
        private function fork(array $fields): void
        {
            try {
                $own = new Channel($fields['requests'] ?? '', $fields['replies'] ?? '');
                [$reading, $writing] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
                $between = pcntl_fork();
                if ($between < 0) {
                    throw new Fault('Runtime.Unknown', 'Unable to fork');
                }
            } catch (\Throwable $error) {
                $this->fail('error', $error);
                return;
            }
            if ($between === 0) {
                $process = pcntl_fork();
                if ($process === 0) {
                    $this->channel->close();
                    $this->channel = $own;
                    $own->claim();
                    fclose($reading);
                    fclose($writing);
                    mt_srand();
                    return;
                }
                fwrite($writing, (string) $process);
                // An exit would run what the handler's file has left to be run at the end.
                posix_kill(posix_getpid(), SIGKILL);
            }
            fclose($writing);
            $own->close();
            $process = (int) fread($reading, 20);
            fclose($reading);
            pcntl_waitpid($between, $status);
            $this->channel->send('forked', "process=$process\n");
        }

        private function load(string $name): callable
        {
            $dot = strrpos($name, '.');
            if (!$dot) {
                throw new Fault('Runtime.MalformedHandlerName', "Bad handler '$name': it is no script.function");
            }
            $function = substr($name, $dot + 1);
            $root = getenv('LAMBDA_TASK_ROOT') ?: '.';
            set_include_path($root . PATH_SEPARATOR . get_include_path());
            $file = $root . '/' . substr($name, 0, $dot) . '.php';
            if (!is_file($file)) {
                throw new Fault('Runtime.ImportModuleError', "Unable to load '$name': there is no $file");
            }
            foreach (["$root/vendor/autoload.php"] as $autoload) {
                if (is_file($autoload)) {
                    require_once $autoload;
                }
            }
            $returned = load_file($file);
            if (is_callable($function)) {
                return $function;
            }
            if (is_callable($returned) && !is_int($returned)) {
                return $returned;
            }
            throw new Fault('Runtime.HandlerNotFound', "Handler '$function' is no function of $file");
        }

        private function serveOne(callable $handler, array $fields, string $event): void
        {
            self::setTrace($fields['trace_id'] ?? null);
            try {
                [$type, $result] = $this->call($handler, $fields, $event);
                if ($result instanceof \Generator) {
                    $this->stream($type, $result);
                    return;
                }
            } catch (\Throwable $error) {
                $this->fail('error', $error);
                return;
            }
            $this->channel->send('result', "content_type=$type\n", $result);
        }

        private function call(callable $handler, array $fields, string $event): array
        {
            $context = new Context(
                $fields['request_id'] ?? '',
                (int) ($fields['deadline_ms'] ?? 0),
                $fields['invoked_function_arn'] ?? '',
                $fields['trace_id'] ?? null,
                self::decode($fields['client_context'] ?? '', 'Runtime.LambdaContextUnmarshalError'),
                self::decode($fields['cognito_identity'] ?? '', 'Runtime.LambdaContextUnmarshalError'),
                $fields['tenant_id'] ?? null,
            );
            if (($fields['content_type'] ?? 'application/json') === 'application/json') {
                $event = self::decode($event, 'Runtime.UnmarshalError');
            }
            $result = $handler($event, $context);
            if ($result instanceof \Generator) {
                return [self::oneLine($context->contentType ?? 'application/octet-stream'), $result];
            }
            if (is_resource($result)) {
                return [self::oneLine($context->contentType ?? 'application/octet-stream'), (string) stream_get_contents($result)];
            }
            if (is_string($result) && ($context->contentType ?? 'application/json') !== 'application/json') {
                return [self::oneLine($context->contentType), $result];
            }
            try {
                $flags = JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
                return ['application/json', json_encode($result, $flags)];
            } catch (\JsonException $error) {
                throw new Fault('Runtime.MarshalError', 'Unable to marshal response: ' . $error->getMessage());
            }
        }

        private function stream(string $type, \Generator $pieces): void
        {
            $this->channel->send('stream', "content_type=$type\n");
            foreach ($pieces as $piece) {
                $this->channel->send('chunk', '', (string) $piece);
            }
            $this->channel->send('end');
        }

        private static function oneLine(string $text): string
        {
            return strtr($text, "\r\n", '  ');
        }

        private static function decode(string $text, string $type): mixed
        {
            if ($text === '') {
                return null;
            }
            try {
                return json_decode($text, true, 512, JSON_THROW_ON_ERROR);
            } catch (\JsonException $error) {
                throw new Fault($type, 'Unable to parse JSON: ' . $error->getMessage());
            }
        }

        private static function setTrace(?string $trace): void
        {
            putenv($trace === null ? '_X_AMZN_TRACE_ID' : "_X_AMZN_TRACE_ID=$trace");
            unset($_SERVER['_X_AMZN_TRACE_ID'], $_ENV['_X_AMZN_TRACE_ID']);
            if ($trace !== null) {
                $_SERVER['_X_AMZN_TRACE_ID'] = $_ENV['_X_AMZN_TRACE_ID'] = $trace;
            }
        }

        private function fail(string $kind, \Throwable $error): void
        {
            $type = $error instanceof Fault ? $error->type : get_class($error);
            if ($error instanceof \ParseError) {
                $type = 'Runtime.UserCodeSyntaxError';
            }
            $message = $error->getMessage();
            $stack = [];
            if (!$error instanceof Fault) {
                $stack[] = $error->getFile() . ':' . $error->getLine();
                foreach (explode("\n", $error->getTraceAsString()) as $line) {
                    if (str_contains($line, 'Lambda\\Worker\\') || str_ends_with($line, '{main}')) {
                        break;
                    }
                    $stack[] = $line;
                }
            }
            fwrite(STDERR, "[ERROR] $type: $message\n" . ($stack ? implode("\n", $stack) . "\n" : ''));
            $head = "type=$type\nmessage_bytes=" . strlen($message) . "\n";
            $this->channel->send($kind, $head, implode("\n", [$message, ...$stack]));
        }
    }

    /** In a scope of its own: the file sees no variable of the worker. */
    function load_file(string $file): mixed
    {
        return (static fn () => require func_get_arg(0))($file);
    }

    [$requests, $replies] = [...array_slice($_SERVER['argv'] ?? [], 1), '/dev/fd/3', '/dev/fd/4'];
    (new Runtime(new Channel($requests, $replies)))->serve();
}
