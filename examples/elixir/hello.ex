# Greets whoever the event names; fails, shows its context or counts when asked to; else returns the event, a binary.
defmodule Hello do
  def handler(~s({"name":") <> rest, _context), do: ~s({"message":"Hello, #{value(rest)}!"})
  def handler(~s({"fail":") <> rest, _context), do: raise(ArgumentError, value(rest))
  def handler(~s({"context":) <> _rest, context), do: ~s({"request_id":"#{context.aws_request_id}"})
  def handler(~s({"count":) <> _rest, _context), do: ~s({"count":#{count()}})
  def handler(event, _context), do: event

  # The calls so far; they are kept in the process that serves all of them.
  defp count do
    calls = Process.get(:calls, 0) + 1
    Process.put(:calls, calls)
    calls
  end

  # VALUE of VALUE"}
  defp value(rest), do: binary_part(rest, 0, byte_size(rest) - 2)
end
