-- What the last SELECT prints is the answer. The event is one row of one column: --ascii separates by bytes that JSON
-- text cannot have.
CREATE TEMP TABLE request (event TEXT);
.import --ascii /dev/stdin request

CREATE TEMP TABLE calls (number INTEGER PRIMARY KEY);
INSERT INTO calls SELECT NULL FROM request WHERE event ->> 'count' IS NOT NULL;

-- SQLite has no error with a text from a row; a JSON path that is none is an error that names it.
SELECT json_extract('{}', event ->> 'fail') FROM request WHERE event ->> 'fail' IS NOT NULL;

SELECT CASE
         WHEN event ->> 'name' IS NOT NULL THEN json_object('message', 'Hello, ' || (event ->> 'name') || '!')
         WHEN event ->> 'context' IS NOT NULL THEN json_object('request_id', @request_id)
         WHEN event ->> 'count' IS NOT NULL THEN json_object('count', (SELECT max(number) FROM calls))
         ELSE event
       END
FROM request;
