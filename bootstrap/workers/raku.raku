# The Raku worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is sub handler of hello.raku (or hello.rakumod): handler($event, $context). The event is a Str (a Blob where it
# is not JSON), the context an object. The response is a Str or a Blob; $context.content-type may name its type. A Seq (of
# gather, map, ...) or a Supply of them is a streamed response, piece by piece.
use v6.d;

class Lambda::Context {
    has Str $.aws-request-id;
    has Int $.deadline-ms;
    has Str $.invoked-function-arn;
    has $.trace-id;
    has $.client-context;
    has $.identity;
    has $.tenant-id;
    has Str $.content-type is rw = '';
    method function-name { %*ENV<AWS_LAMBDA_FUNCTION_NAME> }
    method function-version { %*ENV<AWS_LAMBDA_FUNCTION_VERSION> }
    method memory-limit-in-mb { %*ENV<AWS_LAMBDA_FUNCTION_MEMORY_SIZE> }
    method log-group-name { %*ENV<AWS_LAMBDA_LOG_GROUP_NAME> }
    method log-stream-name { %*ENV<AWS_LAMBDA_LOG_STREAM_NAME> }
    method get-remaining-time-in-millis { max 0, $!deadline-ms - (now.to-posix[0] * 1000).Int }
}

my ($requests-path, $replies-path) = |@*ARGS, '/dev/fd/3', '/dev/fd/4';
@*ARGS = ();
my $requests = open $requests-path, :r, :bin;
my $replies = open $replies-path, :w, :bin, :!out-buffer;
my Buf $data .= new;
# What is logged is out at once (stderr, too, is held back from the second line on); to flush after each invocation would be an
# fsync(2) each.
$*OUT.out-buffer = 0;
$*ERR.out-buffer = 0;

# Programs that the handler starts do not get them. What makes them close-on-exec takes long to load.
sub hide {
    my &close-on-exec = EVAL-handler(
        'use NativeCall; sub fcntl(int32, int32, int32 --> int32) is native {*}; -> $handle { fcntl $handle.native-descriptor, 2, 1 }');
    close-on-exec $_ for $requests, $replies;
}
Proc::Async.^find_method('start').wrap: -> |arguments {
    once hide;
    callsame
};

# A process that the handler forked and that came back here ends: the channel is not its own.
use nqp;
my $owner = nqp::getpid();
sub check-owner { nqp::getpid() == $owner or exit 0 }

sub send-frame(Str $kind, Str $head = '', Blob $body = Blob.new) {
    check-owner;
    my $head-bytes = $head.encode;
    $replies.write: "$kind $head-bytes.elems() $body.elems()\n$head".encode ~ $body;
}

constant READ-FIRST = 4096;

# False at the end.
sub more(--> Bool) {
    # Each read takes memory for all that it may get.
    my $read = $requests.read($data.elems < READ-FIRST ?? READ-FIRST !! 65536);
    return False unless $read.elems;
    $data.elems ?? $data.append($read) !! ($data = $read);
    True
}

# The next request as [fields, event], or Nil when there will be no more.
sub receive-request {
    my str $line;
    my int $end;
    while ($end = nqp::index($line = $data.decode('latin-1'), "\n", 0)) < 0 {
        return Nil unless more;
    }
    my @words = $line.substr(0, $end).words;
    my int $head = $end + 1;
    my int $body = $head + @words[1];
    my int $total = $body + @words[2];
    while $data.elems < $total {
        return Nil unless more;
    }
    my %fields;
    my str $lines = $data.subbuf($head, $body - $head).decode('utf8-c8');
    my int $at = 0;
    # A line's name and value; split and lines would take longer than all else here.
    while ($end = nqp::index($lines, "\n", $at)) >= 0 {
        my int $equals = nqp::index($lines, '=', $at);
        %fields{nqp::substr($lines, $at, $equals - $at)} = nqp::substr($lines, $equals + 1, $end - $equals - 1)
            if $at < $equals < $end;
        $at = $end + 1;
    }
    my $event = $data.subbuf($body, $total - $body);
    $data = $data.elems > $total ?? Buf.new($data.subbuf($total)) !! Buf.new;
    [%fields, $event]
}

sub one-line(Str $text) { $text.subst(/<[\r\n]>/, ' ', :g) }

sub refuse(Str $kind, Str $type, Str $message, Str $stack = '') {
    $*ERR.print: "[ERROR] $type: $message\n$stack";
    my $bytes = $message.encode;
    send-frame $kind, "type={ one-line $type }\nmessage_bytes={ $bytes.elems }\n", $bytes ~ "\n$stack".encode;
}

sub give-up(Str $type, Str $message, Str $stack = '') {
    refuse 'init-error', $type, $message, $stack;
    exit 1;
}

# Of any exception: some have none, or fail to make it.
sub message-of($error --> Str) { (try $error.message.Str) || $error.^name }

# The frames of the handler, without the worker's own.
sub stack($error --> Str) {
    my @frames = $error.backtrace.list.grep({ !.is-setting && !.is-hidden && .file !~~ /'/proc/self/fd' | 'raku.raku' | 'SETTING'/ });
    @frames.map({ "at { .subname || '<unit>' } ({ .file }:{ .line })\n" }).join
}

sub load-handler(Str $name) {
    $name ~~ /^ (.+) '.' (<-[.]>+) $/ or give-up 'Runtime.MalformedHandlerName', "Bad handler '$name': it is no script.sub";
    my ($file, $sub) = ~$0, ~$1;
    my $root = %*ENV<LAMBDA_TASK_ROOT> // '.';
    my $path = <raku rakumod pm6>.map({ "$root/$file.$_" }).first(*.IO.f)
        or give-up 'Runtime.ImportModuleError', "Unable to load '$file': there is no $root/$file.raku";
    my $handler = load-file($path, $sub);
    $handler ~~ Callable or give-up 'Runtime.HandlerNotFound', "Handler '$sub' is no sub of $path";
    $handler
}

sub load-file(Str $path, Str $sub) {
    # The sub is looked for where the file itself would find it.
    my $source = "#line 1 $path\n" ~ $path.IO.slurp ~ "\n;try \{ \&::('$sub') \} // Nil";
    return EVAL-handler($source);
    CATCH {
        when X::Comp { give-up 'Runtime.UserCodeSyntaxError', .message }
        default { give-up .^name, message-of($_), stack($_) }
    }
}

sub EVAL-handler(Str $source) {
    use MONKEY-SEE-NO-EVAL;
    EVAL $source
}

sub bytes-of($value) {
    $value.exception.throw if nqp::istype($value, Failure);
    $value ~~ Blob ?? $value !! ($value // '').Str.encode
}

sub serve-one(&handler, %fields, Blob $event) {
    if %fields<trace_id> { %*ENV<_X_AMZN_TRACE_ID> = %fields<trace_id> }
    else { %*ENV<_X_AMZN_TRACE_ID>:delete }
    my $context = Lambda::Context.new:
        aws-request-id => %fields<request_id>, deadline-ms => (%fields<deadline_ms> // 0).Int,
        invoked-function-arn => %fields<invoked_function_arn> // '', trace-id => %fields<trace_id>,
        client-context => %fields<client_context>, identity => %fields<cognito_identity>, tenant-id => %fields<tenant_id>;
    my $result = handler((%fields<content_type> // 'application/json') eq 'application/json' ?? $event.decode !! $event, $context);
    my $head = $context.content-type ?? "content_type={ one-line $context.content-type }\n" !! '';
    if $result ~~ Seq || $result ~~ Supply {
        send-frame 'stream', $head;
        send-frame 'chunk', '', bytes-of($_) for $result.Seq;
        send-frame 'end';
    }
    else {
        send-frame 'result', $head, bytes-of($result);
    }
    CATCH {
        default { refuse 'error', .^name, message-of($_), stack($_) }
    }
    # Else the worker's own loop takes them.
    CONTROL {
        when CX::Next | CX::Last | CX::Redo { refuse 'error', 'X::ControlFlow', 'the handler left by next, last or redo' }
    }
}

my &handler = load-handler(%*ENV<_HANDLER> // '');
send-frame 'ready';
while my $request = receive-request() {
    serve-one &handler, $request[0], $request[1];
}
