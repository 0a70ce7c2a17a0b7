{ A program per call: the event on stdin, the answer on stdout, the exit status and stderr when it fails. }
program Hello;

{$mode objfpc}{$H+}

uses
  SysUtils, Classes;

var
  Calls: Integer = 0;

function ReadAll: string;
var
  Input: THandleStream;
  Block: array[0..65535] of Char;
  Got: LongInt;
  Text: string;
begin
  Result := '';
  Input := THandleStream.Create(StdInputHandle);
  try
    repeat
      Got := Input.Read(Block, SizeOf(Block));
      SetString(Text, PChar(@Block), Got);
      Result := Result + Text;
    until Got <= 0;
  finally
    Input.Free;
  end;
end;

{ VALUE of {"name":"VALUE"} or {"fail":"VALUE"} }
function TextValue(const Event: string): string;
begin
  Result := Copy(Event, 10, Length(Event) - 11);
end;

function Answer(const Event: string): string;
begin
  if Pos('{"name":"', Event) = 1 then
    Result := '{"message":"Hello, ' + TextValue(Event) + '!"}'
  else if Pos('{"fail":"', Event) = 1 then
    raise Exception.Create(TextValue(Event))
  else if Pos('{"context":', Event) = 1 then
    Result := '{"request_id":"' + GetEnvironmentVariable('LAMBDA_RUNTIME_AWS_REQUEST_ID') + '"}'
  else if Pos('{"count":', Event) = 1 then
  begin
    Inc(Calls);
    Result := Format('{"count":%d}', [Calls]);
  end
  else
    Result := Event;
end;

begin
  try
    Write(Answer(ReadAll));
  except
    on Failure: Exception do
    begin
      WriteLn(StdErr, Failure.ClassName, ': ', Failure.Message);
      Halt(1);
    end;
  end;
end.
