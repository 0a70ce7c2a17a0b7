# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, which is text.
my $calls = 0;

# VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
sub text-value(Str $event) { $event.substr(9, *-2) }

sub handler($event, $context) {
    given $event {
        when .starts-with('{"name":"') { '{"message":"Hello, ' ~ text-value($event) ~ '!"}' }
        when .starts-with('{"fail":"') { die text-value($event) }
        when .starts-with('{"context":') { '{"request_id":"' ~ $context.aws-request-id ~ '"}' }
        when .starts-with('{"count":') { '{"count":' ~ ++$calls ~ '}' }
        default { $event }
    }
}
