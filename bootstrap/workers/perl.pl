# The Perl worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is sub `handler` of hello.pl (or hello.pm): handler($event, $context). The event is decoded JSON; what is
# returned is encoded. A file handle, or a reference to a scalar, is a response of bytes as they are; a sub is called for one
# piece of a streamed response after the other, until it returns undef.
package Lambda::Context;
use strict;
use warnings;
use Time::HiRes ();

my %VARIABLES = (
  function_name      => 'AWS_LAMBDA_FUNCTION_NAME',
  function_version   => 'AWS_LAMBDA_FUNCTION_VERSION',
  memory_limit_in_mb => 'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  log_group_name     => 'AWS_LAMBDA_LOG_GROUP_NAME',
  log_stream_name    => 'AWS_LAMBDA_LOG_STREAM_NAME',
);
for my $name (keys %VARIABLES) {
  no strict 'refs';
  *$name = sub { $ENV{ $VARIABLES{$name} } };
}

sub aws_request_id       { $_[0]{request_id} }
sub invoked_function_arn { $_[0]{invoked_function_arn} }
sub trace_id             { $_[0]{trace_id} }
sub tenant_id            { $_[0]{tenant_id} }
sub deadline_ms          { $_[0]{deadline_ms} }
sub client_context       { $_[0]{client} //= Lambda::Worker::decode($_[0]{client_context}) }
sub identity             { $_[0]{identity} //= Lambda::Worker::decode($_[0]{cognito_identity}) }

sub get_remaining_time_in_millis {
  my $left = int($_[0]{deadline_ms} - Time::HiRes::time() * 1000);
  return $left > 0 ? $left : 0;
}

# The type of the response; given one, sets it.
sub content_type {
  my ($self, $type) = @_;
  $self->{response_type} = $type if defined $type;
  return $self->{response_type};
}

package Lambda::Worker;
use Fcntl qw(F_DUPFD);
use POSIX ();

my ($requests, $replies, $json, $owner);

# The fast encoders where one is installed.
sub json {
  return $json if $json;
  for my $class ('Cpanel::JSON::XS', 'JSON::XS', 'JSON::PP') {
    next unless eval "require $class";
    return $json = $class->new->utf8->allow_nonref->allow_blessed->convert_blessed;
  }
  die "no JSON::PP\n";
}

sub decode {
  my ($text) = @_;
  return undef unless defined $text && length $text;
  return json()->decode($text);
}

# Above what a handler closes by number; Perl makes what it opens there close-on-exec.
sub move {
  my ($low, $mode) = @_;
  for my $least (900, 200, 10) {
    my $number = fcntl($low, F_DUPFD, $least) or next;
    open(my $high, "$mode&=", $number) or next;
    binmode $high;
    close $low;
    return $high;
  }
  binmode $low;
  return $low;
}

# Makes the calling process the one that answers.
sub claim { $owner = $$ }

# Reads as sysread does, and what a signal interrupts begins again; its handler may change $! before the next statement.
sub read_again {
  while (1) {
    my ($count, $error) = (sysread($requests, $_[0], $_[1], length $_[0]), $! + 0);
    return $count if defined $count || $error != POSIX::EINTR;
  }
}

# The next request as (fields, event, kind), or nothing when there will be no more.
sub receive {
  my $data = '';
  my $end;
  do {
    sysread($requests, $data, 65536, length $data) or read_again($data, 65536) or return;
  } while ($end = index $data, "\n") < 0;
  my ($kind, $head_bytes, $body_bytes) = split / /, substr($data, 0, $end);
  my $body  = $end + 1 + $head_bytes;
  my $total = $body + $body_bytes;
  while (length $data < $total) {
    my $left = $total - length $data;
    sysread($requests, $data, $left, length $data) or read_again($data, $left) or return;
  }
  my %fields = substr($data, $end + 1, $head_bytes) =~ /^([^=\n]+)=(.*)$/mg;
  return (\%fields, substr($data, $body), $kind);
}

sub reply {
  my ($kind, $head, $body) = @_;
  POSIX::_exit(0) if $$ != $owner;    # a process that the handler forked and that came back: the channel is not its own
  my $data    = "$kind " . length($head) . ' ' . length($body) . "\n$head$body";
  my $written = 0;
  while ($written < length $data) {
    my $count = syswrite($replies, $data, length($data) - $written, $written);
    unless (defined $count) {
      ($count, my $error) = (syswrite($replies, $data, length($data) - $written, $written), $! + 0);
      POSIX::_exit(1) unless defined $count || $error == POSIX::EINTR;
    }
    $written += $count // 0;
  }
}

# Text as UTF-8; bytes as they are.
sub bytes {
  my ($text) = @_;
  utf8::encode($text) if utf8::is_utf8($text);
  return $text;
}

# What was died with, as (type, message, stack). $trace is the stack at that moment.
sub describe {
  my ($error, $trace) = @_;
  my $type = ref $error || 'Error';
  my $text = eval { bytes("$error") } // 'the error cannot be printed';
  my ($message, @lines) = split /\n/, $text;
  $message //= '';
  return ($type, $message, @lines, @$trace);
}

sub refuse {
  my ($kind, $type, $message, @stack) = map { bytes($_) } @_;
  $type =~ tr/\r\n/  /;
  print STDERR join("\n", "[ERROR] $type: $message", @stack), "\n";
  my $head = "type=$type\nmessage_bytes=" . length($message) . "\n";
  reply($kind, $head, join "\n", $message, @stack);
}

# Where it died and who called, without the worker's own.
sub stack {
  my @frames;
  for (my $i = 1; my @frame = caller $i; ++$i) {
    my $sub = (caller $i + 1)[3] // last;
    last if $sub eq 'Lambda::Worker::call';
    push @frames, "$sub at $frame[1] line $frame[2]";
  }
  return \@frames;
}

sub load {
  my ($name) = @_;
  my ($file, $function) = $name =~ /^(.+)\.(\w+(?:::\w+)*)$/
    or return ('Runtime.MalformedHandlerName', "Bad handler '$name': it is no script.function");
  my $root = $ENV{LAMBDA_TASK_ROOT} // '.';
  unshift @INC, $root, "$root/lib";
  my ($path) = grep { -f } map { "$root/$file.$_" } 'pl', 'pm', 'pmc';
  return ('Runtime.ImportModuleError', "Unable to load '$file': there is no $file.pl") unless $path;
  { package main; local $@; local $!; do $path; $Lambda::Worker::error = $@; }
  if (our $error) {
    my ($type, $message, @stack) = describe($error, []);
    $type = 'Runtime.UserCodeSyntaxError' if $error =~ /^syntax error|^Can't locate|compilation (?:errors|aborted)/m && !ref $error;
    return ($type, $message, @stack);
  }
  my $handler = main->can($function) || ($function =~ /::/ && defined &$function && \&$function);
  return ('Runtime.HandlerNotFound', "Handler '$function' is no sub of $file.pl") unless $handler;
  return $handler;
}

# JSON takes a reference to 0 or 1 for a boolean.
sub is_boolean { defined $_[0] && !ref $_[0] && $_[0] =~ /^[01]\z/ }

sub call {
  my ($handler, $fields, $event) = @_;
  my $context = bless $fields, 'Lambda::Context';
  $event = decode($event) if ($fields->{content_type} // 'application/json') eq 'application/json';
  my $result = $handler->($event, $context);
  my $type   = $context->content_type;
  if (ref $result eq 'GLOB' || (ref $result && eval { $result->can('getline') })) {
    local $/;
    return ($type // 'application/octet-stream', readline($result) // '');
  }
  return ($type // 'application/octet-stream', $result) if ref $result eq 'CODE';
  my $json = !defined $type || $type eq 'application/json';
  if (ref $result eq 'SCALAR' && !($json && is_boolean($$result))) {
    return ($type // 'application/octet-stream', $$result // '');
  }
  return ($type, $result // '') unless $json || ref $result;
  return ('application/json', json()->encode($result));
}

sub type_field {
  my $type = bytes(@_);
  $type =~ tr/\r\n/  /;
  return "content_type=$type\n";
}

sub stream {
  my ($type, $next) = @_;
  reply('stream', type_field($type), '');
  while (defined(my $piece = $next->())) {
    reply('chunk', '', bytes($piece));
  }
  reply('end', '', '');
}

sub serve_one {
  my ($handler, $fields, $event) = @_;
  if (defined $fields->{trace_id}) { $ENV{_X_AMZN_TRACE_ID} = $fields->{trace_id} }
  elsif (exists $ENV{_X_AMZN_TRACE_ID}) { delete $ENV{_X_AMZN_TRACE_ID} }
  my $trace = [];
  my ($begun, $done, $answered);
  {    # where a stray next, last or redo of the handler leads to
    last if $begun++;
    $answered = eval {
      local $SIG{__DIE__} = sub { $trace = stack() unless $^S == 0 };
      my ($type, $result) = call($handler, $fields, $event);
      if   (ref $result eq 'CODE') { stream($type, $result) }
      else                         { reply('result', $type eq 'application/json' ? '' : type_field($type), bytes($result)) }
      1;
    };
    $done = 1;
  }
  return if $answered;
  refuse('error', $done ? describe($@, $trace) : ('Error', 'the handler left by next, last or redo'));
}

# Returns in this process and in the new one, which is another's child and has descriptors of its own.
sub fork_off {
  my ($fields) = @_;
  my ($process, $between) = ('');
  eval { json() };    # loaded here, or in each of them
  my $opened = open(my $own_requests, '<', $fields->{requests}) && open(my $own_replies, '>', $fields->{replies})
    && pipe(my $reading, my $writing) && defined($between = fork);
  return refuse('error', 'Error', "cannot fork: $!") unless $opened;
  if ($between == 0) {
    $process = fork;
    if (defined $process && $process == 0) {
      close $_ for $requests, $replies, $reading, $writing;
      ($requests, $replies) = (move($own_requests, '<'), move($own_replies, '>'));
      claim();
      srand;
      return;
    }
    syswrite $writing, $process if defined $process;
    POSIX::_exit(0);
  }
  close $writing;
  sysread $reading, $process, 20;
  waitpid $between, 0;
  reply('forked', "process=$process\n", '');
}

$| = 1;
$0 = 'bootstrap';
POSIX::close(5);    # the script itself
claim();
open($requests, '<&=', 3) && open($replies, '>&=', 4) or die "the private descriptors: $!\n";
$requests = move($requests, '<');
$replies  = move($replies, '>');
my ($handler, @failure) = load($ENV{_HANDLER} // '');
unless (ref $handler) {
  refuse('init-error', $handler, @failure);
  exit 1;
}
reply('ready', "forks=yes\n", '');
while (my ($fields, $event, $kind) = receive()) {
  $kind eq 'fork' ? fork_off($fields) : serve_one($handler, $fields, $event);
}
