{ The Runtime API of AWS Lambda and Ogni, from libogni. }
unit ogni;

{$mode objfpc}{$H+}

interface

uses ctypes;

type
  TRuntime = type Pointer;

const
  OgniOk = 0;
  OgniRefused = 1;
  OgniInterrupted = 2;
  OgniFatal = 3;
  OgniBadArgument = 4;

function ogni_open(address, user_agent: PChar): TRuntime; cdecl; external;
procedure ogni_close(runtime: TRuntime); cdecl; external;
function ogni_next(runtime: TRuntime): cint; cdecl; external;
function ogni_event(runtime: TRuntime; out bytes: csize_t): PChar; cdecl; external;
function ogni_respond(runtime: TRuntime; body: PChar; bytes: csize_t; content_type: PChar): cint; cdecl; external;
function ogni_fail(runtime: TRuntime; kind, message, stack_trace: PChar): cint; cdecl; external;
function ogni_request_id(runtime: TRuntime): PChar; cdecl; external;
function ogni_remaining_ms(runtime: TRuntime): cint64; cdecl; external;

{ The event as a string. }
function EventOf(runtime: TRuntime): RawByteString;
function Respond(runtime: TRuntime; const body: RawByteString): Integer;

implementation

{$linklib ogni}
{$linklib c}

function EventOf(runtime: TRuntime): RawByteString;
var
  bytes: csize_t;
  first: PChar;
begin
  first := ogni_event(runtime, bytes);
  SetString(Result, first, bytes);
end;

function Respond(runtime: TRuntime; const body: RawByteString): Integer;
begin
  Result := ogni_respond(runtime, PChar(body), Length(body), nil);
end;

end.
