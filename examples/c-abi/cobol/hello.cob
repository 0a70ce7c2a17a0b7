      *> Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
       identification division.
       program-id. hello.
       data division.
       working-storage section.
       01 lambda usage pointer.
       01 event-pointer usage pointer.
       01 text-pointer usage pointer.
       01 event-bytes usage binary-double unsigned.
       01 text-bytes usage binary-double unsigned.
       01 remaining-ms usage binary-double.
       01 remaining-text pic z(17)9.
       01 outcome usage binary-long.
       78 ok value 0.
       78 fatal value 3.
       78 request-id-number value 0.
      *> Enough for AWS's largest event, and what is put around it.
       78 answer-bytes-max value 6300000.
       01 answer pic x(answer-bytes-max).
       01 answer-length usage binary-double unsigned.
       01 answer-end usage binary-double unsigned.
       01 value-length usage binary-double unsigned.
       linkage section.
       01 request pic x(answer-bytes-max).
       01 id-text pic x(256).

       procedure division.
       main section.
           call "ogni_open" using by value size 8 0 by reference z"hello-cobol/1" returning lambda
           if lambda = null stop run returning 1 end-if
           perform until exit
               call "ogni_next" using by value lambda returning outcome
               if outcome not = ok exit perform end-if
               call "ogni_event" using by value lambda by reference event-bytes returning event-pointer
               set address of request to event-pointer
               perform reply
               if outcome = fatal exit perform end-if
           end-perform
           call "ogni_close" using by value lambda
           stop run returning 1.

       reply section.
           evaluate true
               when event-bytes > 11 and request(1:9) = '{"name":"'
                   compute value-length = event-bytes - 11
                   move 1 to answer-end
                   string '{"message":"Hello, ' request(10:value-length) '!"}' delimited by size
                       into answer with pointer answer-end
                   perform respond-with-answer
               when event-bytes > 11 and request(1:9) = '{"fail":"'
                   compute value-length = event-bytes - 11
                   move 1 to answer-end
                   string request(10:value-length) x"00" delimited by size into answer with pointer answer-end
                   call "ogni_fail" using by value lambda by reference z"Example.Failed" by reference answer
                       by value size 8 0 returning outcome
               when event-bytes > 11 and request(1:11) = '{"context":'
                   call "ogni_text" using by value lambda by value size 4 request-id-number
                       by reference text-bytes returning text-pointer
                   set address of id-text to text-pointer
                   call "ogni_remaining_ms" using by value lambda returning remaining-ms
                   move remaining-ms to remaining-text
                   move 1 to answer-end
                   string '{"request_id":"' id-text(1:text-bytes) '","remaining_ms":' function trim(remaining-text) '}'
                       delimited by size into answer with pointer answer-end
                   perform respond-with-answer
               when other
                   call "ogni_respond" using by value lambda by value event-pointer by value event-bytes
                       by value size 8 0 returning outcome
           end-evaluate.

       respond-with-answer section.
           compute answer-length = answer-end - 1
           call "ogni_respond" using by value lambda by reference answer by value answer-length
               by value size 8 0 returning outcome.
