#!/usr/bin/env escript
%% -*- erlang -*-
%%! +B -noinput
%% The Erlang worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
%%
%% `hello.handler` is handler/2 of module hello (hello.beam or hello.erl): handler(Event, Context). The event is a binary, the
%% context a map. The response is iodata (characters above 255 become UTF-8), or {ContentType, Iodata}. A fun(Write) in place of
%% the iodata streams: it calls Write(Iodata) for each piece.
-mode(compile).

main(_) ->
    ok = io:setopts([{encoding, unicode}]),
    Port = open_port({fd, 3, 4}, [binary, stream, eof]),
    {Module, Function} = load(Port, os:getenv("_HANDLER", "")),
    send(Port, "ready", "", ""),
    serve(Port, Module, Function, <<>>).

serve(Port, Module, Function, Data) ->
    case receive_request(Port, Data) of
        stop -> ok;
        {Fields, Event, Rest} ->
            serve_one(Port, Module, Function, Fields, Event),
            %% Only a large one is not left to the collector's own time.
            byte_size(Event) < 65536 orelse erlang:garbage_collect(),
            serve(Port, Module, Function, Rest)
    end.

%% The next request as {Fields, Event, Rest}, or stop when there will be no more.
receive_request(Port, Data) ->
    case binary:split(Data, <<"\n">>) of
        [Line, Rest] ->
            [_, HeadBytes, BodyBytes] = binary:split(Line, <<" ">>, [global]),
            Head = binary_to_integer(HeadBytes),
            Body = binary_to_integer(BodyBytes),
            receive_body(Port, Head, Body, [Rest], byte_size(Rest));
        [_] ->
            case more(Port) of
                stop -> stop;
                More -> receive_request(Port, <<Data/binary, More/binary>>)
            end
    end.

receive_body(Port, Head, Body, Parts, Size) when Size < Head + Body ->
    case more(Port) of
        stop -> stop;
        More -> receive_body(Port, Head, Body, [More | Parts], Size + byte_size(More))
    end;
receive_body(_, Head, Body, Parts, _) ->
    <<HeadText:Head/binary, Event:Body/binary, Rest/binary>> = iolist_to_binary(lists:reverse(Parts)),
    {fields(HeadText), Event, Rest}.

more(Port) ->
    receive
        {Port, {data, Data}} -> Data;
        {Port, eof} -> stop;
        {'EXIT', Port, _} -> stop
    end.

fields(Head) ->
    Pairs = [binary:split(Line, <<"=">>) || Line <- binary:split(Head, <<"\n">>, [global]), Line =/= <<>>],
    maps:from_list([{Name, Value} || [Name, Value] <- Pairs]).

send(Port, Kind, Head, Body) ->
    Frame = [Kind, $\s, integer_to_list(iolist_size(Head)), $\s, integer_to_list(iolist_size(Body)), $\n, Head, Body],
    true = port_command(Port, Frame).

refuse(Port, Kind, Type, Message, Stack) ->
    Lines = [[Line, $\n] || Line <- Stack],
    io:format(standard_error, "[ERROR] ~ts: ~ts~n~ts", [Type, Message, Lines]),
    MessageBytes = utf8(Message),
    Head = [<<"type=">>, one_line(utf8(Type)), <<"\nmessage_bytes=">>, integer_to_list(byte_size(MessageBytes)), $\n],
    send(Port, Kind, Head, [MessageBytes, $\n, utf8(Lines)]).

one_line(Text) -> binary:replace(Text, [<<"\n">>, <<"\r">>], <<" ">>, [global]).

utf8(Text) ->
    case unicode:characters_to_binary(Text) of
        Binary when is_binary(Binary) -> Binary;
        _ -> iolist_to_binary(io_lib:format("~p", [Text]))
    end.

give_up(Port, Type, Message) -> give_up(Port, Type, Message, []).

give_up(Port, Type, Message, Stack) ->
    refuse(Port, "init-error", Type, Message, Stack),
    timer:sleep(0),
    flush_and_halt(Port, 1).

%% A port sends in the background; it is closed only when all is written.
flush_and_halt(Port, Status) ->
    port_close(Port),
    halt(Status).

load(Port, Name) ->
    case string:split(Name, ".", trailing) of
        [[_ | _] = File, [_ | _] = Function] -> load(Port, File, list_to_atom(Function));
        _ -> give_up(Port, "Runtime.MalformedHandlerName", io_lib:format("Bad handler '~ts': it is no module.function", [Name]))
    end.

load(Port, File, Function) ->
    Base = filename:join(os:getenv("LAMBDA_TASK_ROOT", "."), File),
    Module = list_to_atom(filename:basename(File)),
    code:add_patha(filename:dirname(Base)),
    code:add_patha(filename:join(filename:dirname(Base), "ebin")),
    case {filelib:is_regular(Base ++ ".beam"), filelib:is_regular(Base ++ ".erl")} of
        {true, _} -> {module, Module} = code:load_abs(Base);
        {_, true} -> compile(Port, Module, Base ++ ".erl");
        _ -> give_up(Port, "Runtime.ImportModuleError", io_lib:format("Unable to load '~ts': there is no ~ts.erl", [File, Base]))
    end,
    case erlang:function_exported(Module, Function, 2) of
        true -> {Module, Function};
        false ->
            give_up(Port, "Runtime.HandlerNotFound",
                    io_lib:format("Handler '~ts' is no exported function ~ts/2 of ~ts", [Function, Function, File]))
    end.

compile(Port, Module, Path) ->
    case compile:file(Path, [binary, return_errors, debug_info]) of
        {ok, Module, Code} -> {module, Module} = code:load_binary(Module, Path, Code);
        {error, Errors, _} ->
            [{_, [{Place, Reporter, Reason} | _]} | _] = Errors,
            give_up(Port, "Runtime.UserCodeSyntaxError",
                    io_lib:format("~ts:~w: ~ts", [filename:basename(Path), Place, Reporter:format_error(Reason)]))
    end.

serve_one(Port, Module, Function, Fields, Event) ->
    case Fields of
        #{<<"trace_id">> := Trace} -> os:putenv("_X_AMZN_TRACE_ID", native(Trace));
        _ -> os:unsetenv("_X_AMZN_TRACE_ID")
    end,
    try answer(Module:Function(Event, context(Fields))) of
        {Head, Pieces} when is_function(Pieces) -> stream(Port, Head, Pieces);
        {Head, Body} -> send(Port, "result", Head, Body)
    catch
        Class:Reason:Stack ->
            {Type, Message} = describe(Class, Reason),
            refuse(Port, "error", Type, Message, frames(Stack))
    end.

%% The environment takes characters of the locale: of one without UTF-8 that is bytes.
native(Text) ->
    case {file:native_name_encoding(), unicode:characters_to_list(Text)} of
        {utf8, Characters} when is_list(Characters) -> Characters;
        _ -> binary_to_list(Text)
    end.

%% Only this process, and only now: a piece that comes later would be in another answer.
stream(Port, Head, Pieces) ->
    Key = make_ref(),
    put(ogni_stream, Key),
    send(Port, "stream", Head, ""),
    Write = fun(Piece) ->
        get(ogni_stream) =:= Key orelse error({ended, <<"the response has ended, or is another process's">>}),
        send(Port, "chunk", "", bytes(Piece)),
        ok
    end,
    try Pieces(Write) of
        _ -> send(Port, "end", "", "")
    catch
        Class:Reason:Stack ->
            {Type, Message} = describe(Class, Reason),
            refuse(Port, "error", Type, Message, frames(Stack))
    after
        erase(ogni_stream)
    end.

answer({Type, Body}) -> {[<<"content_type=">>, one_line(utf8(Type)), $\n], bytes(Body)};
answer(Body) -> {[], bytes(Body)}.

bytes(Pieces) when is_function(Pieces, 1) -> Pieces;
bytes(Body) when is_atom(Body) -> atom_to_binary(Body);
bytes(Body) when is_integer(Body) -> integer_to_binary(Body);
bytes(Body) when is_binary(Body) -> Body;
bytes(Body) ->
    try iolist_to_binary(Body) catch error:badarg -> <<_/binary>> = unicode:characters_to_binary(Body) end.

describe(_, {Type, Message}) when is_atom(Type), is_binary(Message) -> {atom_to_list(Type), Message};
describe(_, {Type, [C | _] = Message}) when is_atom(Type), is_integer(C) -> {atom_to_list(Type), Message};
describe(Class, Reason) -> {atom_to_list(Class), io_lib:format("~tp", [Reason])}.

frames(Stack) ->
    [io_lib:format("~w:~w/~w (~ts:~w)", [Module, Function, arity(Arity), proplists:get_value(file, Place, ""),
                                         proplists:get_value(line, Place, 0)])
     || {Module, Function, Arity, Place} <- Stack, Module =/= ?MODULE, Module =/= escript, Module =/= init].

arity(Arguments) when is_list(Arguments) -> length(Arguments);
arity(Arity) -> Arity.

context(Fields) ->
    Deadline = binary_to_integer(maps:get(<<"deadline_ms">>, Fields, <<"0">>)),
    Field = fun(Name) -> maps:get(Name, Fields, undefined) end,
    Variable = fun(Name) -> case os:getenv(Name) of false -> undefined; Value -> unicode:characters_to_binary(Value) end end,
    #{aws_request_id => Field(<<"request_id">>),
      deadline_ms => Deadline,
      remaining_time_in_millis => fun() -> max(0, Deadline - os:system_time(millisecond)) end,
      invoked_function_arn => Field(<<"invoked_function_arn">>),
      trace_id => Field(<<"trace_id">>),
      client_context => Field(<<"client_context">>),
      identity => Field(<<"cognito_identity">>),
      tenant_id => Field(<<"tenant_id">>),
      content_type => Field(<<"content_type">>),
      function_name => Variable("AWS_LAMBDA_FUNCTION_NAME"),
      function_version => Variable("AWS_LAMBDA_FUNCTION_VERSION"),
      memory_limit_in_mb => Variable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
      log_group_name => Variable("AWS_LAMBDA_LOG_GROUP_NAME"),
      log_stream_name => Variable("AWS_LAMBDA_LOG_STREAM_NAME")}.
