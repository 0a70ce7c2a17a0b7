{ Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came. }
program hello;

{$mode objfpc}{$H+}

uses ogni, SysUtils;

// VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
function Value(const event: RawByteString): RawByteString;
begin
  Result := Copy(event, 10, Length(event) - 11);
end;

function Answer(runtime: TRuntime; const event: RawByteString): Integer;
begin
  if Pos('{"name":"', event) = 1 then
    Result := Respond(runtime, '{"message":"Hello, ' + Value(event) + '!"}')
  else if Pos('{"fail":"', event) = 1 then
    Result := ogni_fail(runtime, 'Example.Failed', PChar(Value(event)), nil)
  else if Pos('{"context":', event) = 1 then
    Result := Respond(runtime, '{"request_id":"' + StrPas(ogni_request_id(runtime)) + '","remaining_ms":' +
      IntToStr(ogni_remaining_ms(runtime)) + '}')
  else
    Result := Respond(runtime, event);
end;

var
  runtime: TRuntime;
begin
  runtime := ogni_open(nil, 'hello-pascal/1');
  if runtime = nil then Halt(1);
  while ogni_next(runtime) = OgniOk do
    if Answer(runtime, EventOf(runtime)) = OgniFatal then Break;
  ogni_close(runtime);
  Halt(1);
end.
