# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event.
use strict;
use warnings;

my $calls = 0;

sub handler {
  my ($event, $context) = @_;
  return { message => "Hello, $event->{name}!" } if exists $event->{name};
  die "$event->{fail}\n" if exists $event->{fail};
  return { request_id => $context->aws_request_id } if exists $event->{context};
  return { count => ++$calls } if exists $event->{count};
  return $event;
}

1;
