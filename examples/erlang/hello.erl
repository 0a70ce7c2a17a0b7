%% Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, a binary.
-module(hello).
-export([handler/2]).

handler(<<"{\"name\":\"", Rest/binary>>, _Context) ->
    [<<"{\"message\":\"Hello, ">>, text_value(Rest), <<"!\"}">>];
handler(<<"{\"fail\":\"", Rest/binary>>, _Context) ->
    error({failed, text_value(Rest)});
handler(<<"{\"context\":", _/binary>>, #{aws_request_id := Id}) ->
    [<<"{\"request_id\":\"">>, Id, <<"\"}">>];
handler(<<"{\"count\":", _/binary>>, _Context) ->
    [<<"{\"count\":">>, integer_to_binary(count()), <<"}">>];
handler(Event, _Context) ->
    Event.

%% The calls so far; they are kept in the process that serves all of them.
count() ->
    Calls = case get(calls) of undefined -> 1; Before -> Before + 1 end,
    put(calls, Calls),
    Calls.

text_value(Rest) -> binary:part(Rest, 0, byte_size(Rest) - 2).
