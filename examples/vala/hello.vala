// A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.

errordomain FunctionError {
    ASKED_TO
}

int calls = 0;

string read_all () {
    var text = new StringBuilder ();
    var block = new uint8[65536];
    size_t got;
    while ((got = stdin.read (block)) > 0) {
        text.append_len ((string) block, (ssize_t) got);
    }
    return text.str;
}

string answer (string event) throws FunctionError {
    if (event.has_prefix ("{\"name\":\"")) {
        return "{\"message\":\"Hello, %s!\"}".printf (event[9:-2]);
    }
    if (event.has_prefix ("{\"fail\":\"")) {
        throw new FunctionError.ASKED_TO ("%s", event[9:-2]);
    }
    if (event.has_prefix ("{\"context\":")) {
        return "{\"request_id\":\"%s\"}".printf (Environment.get_variable ("LAMBDA_RUNTIME_AWS_REQUEST_ID"));
    }
    if (event.has_prefix ("{\"count\":")) {
        return "{\"count\":%d}".printf (++calls);
    }
    return event;
}

int main () {
    try {
        stdout.puts (answer (read_all ()));
        return 0;
    } catch (FunctionError failure) {
        stderr.printf ("FunctionError: %s\n", failure.message);
        return 1;
    }
}
