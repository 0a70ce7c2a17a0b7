*> A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails.
identification division.
program-id. hello.

environment division.
input-output section.
file-control.
    select event-file assign to "/dev/stdin" organization line sequential.

data division.
file section.
fd event-file record varying from 0 to 8000000 depending on event-length.
01 event-text pic x(8000000).

working-storage section.
01 event-length pic 9(8) comp-5 value 0.
01 value-length pic s9(8) comp-5 value 0.
01 request-id pic x(64).
01 calls pic 9(4) comp-5 value 0.
01 digits pic z(3)9.

procedure division.
main-line.
    open input event-file
    read event-file at end move 0 to event-length end-read
    if event-length = 0 stop run end-if
    compute value-length = event-length - 11
    evaluate true
        when event-text(1:9) = '{"name":"'
            display '{"message":"Hello, ' event-text(10:value-length) '!"}' with no advancing
        when event-text(1:9) = '{"fail":"'
            display 'FunctionError: ' event-text(10:value-length) upon syserr
            close event-file
            stop run with error status 1
        when event-text(1:11) = '{"context":'
            accept request-id from environment "LAMBDA_RUNTIME_AWS_REQUEST_ID"
            display '{"request_id":"' function trim(request-id) '"}' with no advancing
        when event-text(1:9) = '{"count":'
            add 1 to calls
            move calls to digits
            display '{"count":' function trim(digits) '}' with no advancing
        when other
            display event-text(1:event-length) with no advancing
    end-evaluate
    close event-file
    stop run.
